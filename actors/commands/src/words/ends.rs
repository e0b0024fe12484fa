//! Where what begins at a place ends. Each looks at a character once; what has no end, ends with the text.

/// The closing single quote.
pub fn single(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\'').map_or(chars.len(), |n| from + n)
}

/// The quote that closes `$'`.
pub fn ansi(chars: &[char], from: usize) -> usize {
    escaped(chars, from, '\'')
}

/// The closing backquote.
pub fn backquote(chars: &[char], from: usize) -> usize {
    escaped(chars, from, '`')
}

fn escaped(chars: &[char], from: usize, end: char) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != end {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at.min(chars.len())
}

/// The bracket that closes the round one at `from`.
pub fn bracket(chars: &[char], from: usize) -> usize {
    closing(chars, from, '(', ')')
}

/// The brace that closes the one at `from`.
pub fn brace(chars: &[char], from: usize) -> usize {
    closing(chars, from, '{', '}')
}

/// What is open, innermost last: the character that closes it.
fn closing(chars: &[char], from: usize, open: char, close: char) -> usize {
    let mut awaited = vec![close];
    let mut at = from + 1;
    while at < chars.len() {
        let c = chars[at];
        let within = awaited.last().copied().unwrap_or(close);
        match c {
            '\\' => at += 1,
            _ if c == within => {
                awaited.pop();
                if awaited.is_empty() {
                    return at;
                }
            }
            '\'' if within != '"' && within != '`' => at = single(chars, at + 1),
            '"' => awaited.push('"'),
            '`' => awaited.push('`'),
            '(' if within == ')' => awaited.push(')'),
            '$' if matches!(chars.get(at + 1), Some('(' | '{')) => {
                awaited.push(if chars[at + 1] == '(' { ')' } else { '}' });
                at += 1;
            }
            _ if c == open && within == close => awaited.push(close),
            _ => {}
        }
        at += 1;
    }
    chars.len()
}
