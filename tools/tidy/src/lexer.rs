//! Just enough of Rust's lexical grammar to count lines and find functions: comments and literals are blanked out.

/// `source` with the contents of comments and literals replaced by blanks; line breaks stay.
pub fn blank(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(bytes, at);
        if end == at {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        out.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
        // A literal counts as code: it is more than blanks.
        if bytes[at] != b'/' {
            let from = out.len() - (end - at);
            out[from] = b'"';
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of the comment or literal that begins at `at`, or `at` when none does.
fn skip(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'r', b'"' | b'#', ..] if !after_word => at + raw_string(rest, 1),
        [b'b', b'r', b'"' | b'#', ..] if !after_word => at + raw_string(rest, 2),
        [b'"', ..] => at + string(rest),
        [b'\'', ..] => at + character(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// `from` is where the hashes begin. A raw identifier (`r#type`) is no string: 0.
fn raw_string(rest: &[u8], from: usize) -> usize {
    let hashes = rest[from..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(from + hashes) != Some(&b'"') {
        return 0;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = from + hashes + 1;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| body + end + close.len())
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal; a lifetime is none: 0.
fn character(rest: &[u8]) -> usize {
    match rest {
        [_, b'\\', ..] => rest[2..].iter().skip(1).position(|byte| *byte == b'\'').map_or(rest.len(), |end| end + 4),
        _ => {
            let text = String::from_utf8_lossy(&rest[1..rest.len().min(6)]);
            let length = text.chars().next().map_or(0, char::len_utf8);
            if rest.get(1 + length) == Some(&b'\'') { length + 2 } else { 0 }
        }
    }
}

/// Lines that are neither blank nor only a comment. `blanked` comes from [`blank`].
pub fn code_lines(blanked: &str) -> usize {
    blanked.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Name, first line (from 1) and number of lines of each function that has a body.
pub fn functions(blanked: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = blanked[from..].find("fn ").map(|at| from + at) {
        from = at + 3;
        let starts_word = at > 0 && !blanked.as_bytes()[at - 1].is_ascii_whitespace();
        let name: String = blanked[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if starts_word || name.is_empty() {
            continue;
        }
        let Some(open) = body_of(&blanked[from..]).map(|open| from + open) else { continue };
        let close = closing(&blanked[open..]).map_or(blanked.len(), |close| open + close);
        let first = blanked[..at].matches('\n').count() + 1;
        found.push((name, first, blanked[at..close].matches('\n').count() + 1));
    }
    found
}

/// Where the body opens; `None` for a declaration, which ends in a semicolon outside any bracket.
fn body_of(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_do_not_count_as_code() {
        let source = "// unsafe {\nfn a() { let x = \"unsafe { // \\\" \"; }\n/* { /* } */ */\n\nfn b<'a>(c: char) -> bool { c == '{' || c == '\\'' }\nlet r = r#\"fn \" {\"#;\n";
        let blanked = blank(source);
        assert!(!blanked.contains("unsafe"), "{blanked}");
        assert_eq!(code_lines(&blanked), 3, "{blanked}");
        assert_eq!(functions(&blanked), [("a".to_string(), 2, 1), ("b".to_string(), 5, 1)]);
    }

    #[test]
    fn a_functions_lines_are_counted_from_its_name_to_its_brace() {
        let blanked = blank(
            "trait T {\n    fn only_declared(&self);\n    fn long(\n        x: [u8; 4],\n    ) {\n        x;\n    }\n}\n",
        );
        assert_eq!(functions(&blanked), [("long".to_string(), 3, 5)]);
    }
}
