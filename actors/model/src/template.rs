//! The chat template of the model's file, rendered so that nobody's words can pose as part of it.
//!
//! The template is a small program (Jinja) that came with the weights. It is rendered with a mark in place of each
//! message, and its text and the messages are turned into tokens separately: only the template's own text may become
//! control tokens, so a message that spells out "end of turn" stays a message.

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, context};
use serde::Serialize;

use crate::error::EngineError;
use crate::limits::TEMPLATE_FUEL_STEPS;
use crate::talk::{Manners, Part, Said};

/// Around the number of a message in what is rendered; no template writes this by itself.
const MARK: char = '\u{10fffd}';
const NAME: &str = "chat";

/// A piece of a rendered conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// The template's own text, in which control tokens count.
    Own(String),
    /// The text of the message with this number, in which they do not.
    Message(usize),
}

/// A template that can be rendered.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    begin: String,
    end: String,
    manners: Manners,
}

#[derive(Serialize)]
struct Marked {
    role: &'static str,
    content: String,
}

impl Template {
    /// Compiles the template's source and finds out what it can render. `begin` and `end` are the texts of the tokens
    /// for begin and end of text.
    pub fn new(source: String, begin: String, end: String) -> Result<Template, EngineError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(TEMPLATE_FUEL_STEPS));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_template_owned(NAME, source).map_err(refused)?;
        let manners = Manners { system: true, tool: true, repeats: true };
        let mut template = Template { environment, begin, end, manners };
        template.manners = template.find_manners()?;
        Ok(template)
    }

    /// What it can render.
    pub fn manners(&self) -> Manners {
        self.manners
    }

    fn find_manners(&self) -> Result<Manners, EngineError> {
        let renders = |parts: &[Part]| {
            let said: Vec<Said> = parts.iter().map(|&part| Said { part, text: String::new() }).collect();
            self.render(&said).map(|_| ())
        };
        use Part::{Assistant, System, Tool, User};
        renders(&[User, Assistant, User])?;
        Ok(Manners {
            system: renders(&[System, User]).is_ok(),
            tool: renders(&[User, Assistant, Tool]).is_ok(),
            repeats: renders(&[User, User, Assistant, Assistant, User]).is_ok(),
        })
    }

    /// The conversation in pieces, up to where the assistant's next answer begins.
    pub fn render(&self, said: &[Said]) -> Result<Vec<Piece>, EngineError> {
        let marked =
            |(i, message): (usize, &Said)| Marked { role: message.part.name(), content: format!("{MARK}{i}{MARK}") };
        let messages: Vec<Marked> = said.iter().enumerate().map(marked).collect();
        let template = self.environment.get_template(NAME).map_err(refused)?;
        let rendered = template
            .render(context! {
                messages,
                add_generation_prompt => true,
                bos_token => self.begin,
                eos_token => self.end,
                tools => (),
                enable_thinking => false,
            })
            .map_err(refused)?;
        pieces(&rendered, said.len())
    }
}

fn refused(error: minijinja::Error) -> EngineError {
    EngineError::Template { reason: error.to_string() }
}

/// Splits what was rendered at the marks. Every message must be there once, in order.
fn pieces(rendered: &str, messages: usize) -> Result<Vec<Piece>, EngineError> {
    let mut pieces = Vec::with_capacity(messages * 2 + 1);
    let mut next = 0;
    for (i, part) in rendered.split(MARK).enumerate() {
        if i % 2 == 0 {
            if !part.is_empty() {
                pieces.push(Piece::Own(part.to_owned()));
            }
        } else if part.parse() == Ok(next) {
            pieces.push(Piece::Message(next));
            next += 1;
        } else {
            return Err(EngineError::Template { reason: format!("it changes or reorders message {next}") });
        }
    }
    if next == messages {
        Ok(pieces)
    } else {
        Err(EngineError::Template { reason: format!("it leaves out message {next} of {messages}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATML: &str = "{%- for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}\
        {%- endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
    const STRICT: &str = "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}\
        {{ raise_exception('Roles must alternate') }}{% endif %}{{ '[' + m.role + ']' + m.content.strip() }}{% endfor %}";

    fn template(source: &str) -> Result<Template, EngineError> {
        Template::new(source.to_owned(), "<s>".into(), "</s>".into())
    }

    fn said(part: Part) -> Said {
        Said { part, text: "not rendered".into() }
    }

    fn own(text: &str) -> Piece {
        Piece::Own(text.to_owned())
    }

    #[test]
    fn messages_and_the_templates_own_text_come_apart() {
        let pieces = template(CHATML).unwrap().render(&[said(Part::System), said(Part::User)]).unwrap();
        let expected = [
            own("<|im_start|>system\n"),
            Piece::Message(0),
            own("<|im_end|>\n<|im_start|>user\n"),
            Piece::Message(1),
            own("<|im_end|>\n<|im_start|>assistant\n"),
        ];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn manners_are_found_out() {
        assert_eq!(template(CHATML).unwrap().manners(), Manners { system: true, tool: true, repeats: true });
        assert_eq!(template(STRICT).unwrap().manners(), Manners { system: false, tool: false, repeats: false });
        let pieces = template(STRICT).unwrap().render(&[said(Part::User)]).unwrap();
        assert_eq!(pieces, [own("<s>[user]"), Piece::Message(0)]);
    }

    #[test]
    fn a_template_that_does_not_compile_or_leaves_out_messages_is_refused() {
        for source in ["{% for", "{{ messages[0].content }}", "hello", "{{ nothing.at.all }}"] {
            let error = template(source).unwrap_err();
            assert!(matches!(error, EngineError::Template { .. }), "{source}: {error}");
        }
    }

    #[test]
    fn a_template_that_never_ends_is_refused() {
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert!(matches!(template(endless), Err(EngineError::Template { .. })));
    }
}
