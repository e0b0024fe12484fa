//! Names and lines as they may be shown: nothing in them ends a line or steers a terminal.

/// A name or a line can hold anything, newlines and terminal escapes included. A tab stays.
pub fn one_line(bytes: &[u8]) -> String {
    let mut line = String::new();
    for part in String::from_utf8_lossy(bytes).chars() {
        if part.is_control() && part != '\t' {
            line.extend(part.escape_default());
        } else {
            line.push(part);
        }
    }
    line
}
