//! `$'…'`.

/// The text between the quotes.
pub fn decoded(body: &[char]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at < body.len() {
        if body[at] != '\\' {
            out.push(body[at]);
            at += 1;
            continue;
        }
        let (c, length) = escape(&body[at + 1..]);
        out.extend(c);
        at += 1 + length;
    }
    out
}

/// The character after a backslash, and how many characters say so.
pub fn escape(rest: &[char]) -> (Option<char>, usize) {
    let Some(c) = rest.first() else { return (Some('\\'), 0) };
    let plain = |c| (Some(c), 1);
    match c {
        'n' => plain('\n'),
        't' => plain('\t'),
        'r' => plain('\r'),
        'a' => plain('\u{7}'),
        'b' => plain('\u{8}'),
        'e' | 'E' => plain('\u{1b}'),
        'f' => plain('\u{c}'),
        'v' => plain('\u{b}'),
        'x' => number(rest, 1, 2, 16),
        'u' => number(rest, 1, 4, 16),
        'U' => number(rest, 1, 8, 16),
        '0'..='7' => number(rest, 0, 3, 8),
        other => plain(*other),
    }
}

fn number(rest: &[char], from: usize, digits_max: usize, radix: u32) -> (Option<char>, usize) {
    let digits: String = rest[from..].iter().take(digits_max).take_while(|c| c.is_digit(radix)).collect();
    let c = u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32);
    // What a shell would end the string at, or what is reserved here, is no character of a command.
    (c.filter(|c| *c != '\0' && !crate::text::is_reserved(*c)), from + digits.len())
}
