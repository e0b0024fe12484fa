//! What goes to the terminal: colours only there, wrapped at its width, and nothing in a text can steer it.

use std::io::{self, IsTerminal, Write};

use crate::limits::WRAP_COLUMNS;

/// Style of a piece of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// A name or title.
    Bold,
    /// Something is wrong.
    Warn,
}

/// Standard output: a terminal, or a file or pipe that gets every byte as it is.
pub struct Screen {
    terminal: bool,
    colour: bool,
    columns: usize,
    column: usize,
    /// The word that is being written; it may still have to go to the next line.
    word: String,
    word_columns: usize,
}

impl Screen {
    /// Of standard output.
    pub fn stdout() -> Screen {
        let terminal = io::stdout().is_terminal();
        let columns = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Screen::new(terminal, colour, columns.clamp(20, WRAP_COLUMNS))
    }

    fn new(terminal: bool, colour: bool, columns: usize) -> Screen {
        Screen { terminal, colour, columns, column: 0, word: String::new(), word_columns: 0 }
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes text that comes in pieces; on a terminal wrapped between words.
    pub fn text(&mut self, text: &str) {
        let shown = self.render(text);
        put(shown.as_bytes());
    }

    /// Ends the text: what is held back goes out, and a line that was begun is ended.
    pub fn end(&mut self) {
        let mut rest = self.take_word();
        if self.column > 0 {
            rest.push('\n');
            self.column = 0;
        }
        put(rest.as_bytes());
    }

    /// One line in a style, after ending what was begun.
    pub fn line(&mut self, style: Style, text: &str) {
        self.end();
        let line = self.styled(style, &printable(text));
        put(format!("{line}\n").as_bytes());
    }

    /// Bytes of a command's output.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.terminal {
            let shown = tame(bytes);
            self.column = usize::from(!shown.ends_with('\n'));
            put(shown.as_bytes());
        } else {
            self.column = usize::from(bytes.last() != Some(&b'\n'));
            put(bytes);
        }
    }

    /// Writes a prompt, without a line break.
    pub fn prompt(&mut self, text: &str) {
        self.end();
        if self.terminal {
            put(self.styled(Style::Bold, text).as_bytes());
        }
    }

    /// `text` in a style, where there are colours.
    pub fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Plain => "",
            Style::Dim => "2",
            Style::Bold => "1",
            Style::Warn => "33",
        };
        if self.colour && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn render(&mut self, text: &str) -> String {
        if !self.terminal {
            if let Some(last) = text.chars().next_back() {
                self.column = usize::from(last != '\n');
            }
            return text.to_owned();
        }
        let mut shown = String::with_capacity(text.len());
        for c in harmless(text).chars() {
            match c {
                '\n' => {
                    shown.push_str(&self.take_word());
                    shown.push('\n');
                    self.column = 0;
                }
                ' ' | '\t' => {
                    shown.push_str(&self.take_word());
                    if self.column < self.columns {
                        shown.push(' ');
                        self.column += 1;
                    }
                }
                c => {
                    self.word.push(c);
                    self.word_columns += 1;
                    if self.word_columns >= self.columns {
                        shown.push_str(&self.take_word());
                    }
                }
            }
        }
        shown
    }

    fn take_word(&mut self) -> String {
        let mut shown = String::new();
        if self.column > 0 && self.column + self.word_columns > self.columns {
            shown.push('\n');
            self.column = 0;
        }
        shown.push_str(&self.word);
        self.column += self.word_columns;
        self.word.clear();
        self.word_columns = 0;
        shown
    }
}

/// A text for a terminal: what could move the cursor, hide or reorder text or type for the person is shown escaped.
pub fn harmless(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// The same as one line.
pub fn printable(text: &str) -> String {
    escaped(text, |c| c == '\t')
}

fn escaped(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if keeps(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            c if c.is_ascii_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || reorders(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that turn the direction of what follows, or that nobody sees.
fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The first `most` characters, marked when there were more.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A reader that has gone (`chela log tail | head`) is no error worth a word.
fn put(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// A line of JSON on standard output.
pub fn json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => put(format!("{text}\n").as_bytes()),
        Err(error) => eprintln!("chela: JSON: {error}"),
    }
}

/// Output for a terminal. A pseudo-terminal ends its lines as a terminal does.
fn tame(bytes: &[u8]) -> String {
    harmless(&String::from_utf8_lossy(bytes).replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::{Screen, harmless, printable};

    fn wrapped(pieces: &[&str]) -> String {
        let mut screen = Screen::new(true, false, 20);
        let mut shown: String = pieces.iter().map(|piece| screen.render(piece)).collect();
        shown.push_str(&screen.take_word());
        shown
    }

    #[test]
    fn lines_break_between_words_wherever_the_pieces_do() {
        let whole = wrapped(&["the quick brown fox jumps over the lazy dog"]);
        assert!(whole.lines().all(|line| line.chars().count() <= 20), "{whole}");
        assert_eq!(whole.split_whitespace().count(), 9);
        assert_eq!(whole, wrapped(&["the qui", "ck brow", "n fox jumps o", "ver the lazy d", "og"]));
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut_and_lost_nothing_of() {
        let long = "x".repeat(55);
        let shown = wrapped(&[&long]);
        assert_eq!(shown.replace('\n', ""), long);
    }

    #[test]
    fn no_escape_sequence_reaches_a_terminal() {
        assert!(!wrapped(&["\x1b]0;owned\x07 \x1b[2J\u{9b}31m"]).contains(['\x1b', '\x07', '\u{9b}']));
    }

    #[test]
    fn what_could_steer_a_terminal_is_shown_as_what_it_is() {
        assert_eq!(harmless("a\x1b]0;t\x07\n\u{9b}2J\r\u{202e}b"), "a\\x1b]0;t\\x07\n\\u{9b}2J\\r\\u{202e}b");
        assert_eq!(printable("a\nb\tc\x7f"), "a\\nb\tc\\x7f");
        assert_eq!(printable("naïve 🦀"), "naïve 🦀");
    }

    #[test]
    fn output_of_a_pseudo_terminal_has_its_lines_and_no_escape_sequence() {
        assert_eq!(super::tame(b"\x1b[1mone\r\n\rtwo\r\n"), "\\x1b[1mone\n\\rtwo\n");
    }

    #[test]
    fn a_pipe_gets_every_character() {
        let mut screen = Screen::new(false, false, 20);
        let text = "a\x1b[0m  b\t\n\n c".repeat(5);
        assert_eq!(screen.render(&text), text);
    }
}
