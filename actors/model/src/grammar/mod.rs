//! The form of a tool call as a grammar, so that even a small model can't write a broken one. Pure; the engine's own
//! grammar in progress is in [`sys`].

pub mod sys;

use schema::tool::{Parameter, ParameterKind, ToolSpec};

use crate::error::EngineError;
use crate::limits::{PARAMETERS_MAX, TOOLS_MAX};

/// Where a call may have white space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spacing {
    /// One space after each comma and colon: what a model that must call is held to.
    Fixed,
    /// A space or a line break with indentation between any two parts: what a model that called by itself may have used.
    Free,
}

/// Rules that every grammar ends with. A string holds no control character and no half of a surrogate pair; numbers fit
/// into 64 bits.
const COMMON: &str = r#"string ::= "\"" char* "\""
char ::= [^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" unit)
unit ::= [0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex
hex ::= [0-9a-fA-F]
integer ::= "0" | "-"? [1-9] [0-9]{0,17}
boolean ::= "true" | "false"
"#;

/// The grammar, in GBNF, of one call of one of `tools`: `{"name": NAME, "arguments": {…}}` with the tool's own
/// arguments. Required ones come first, in order; optional ones may follow, in order.
pub fn of_calls(tools: &[ToolSpec], spacing: Spacing) -> Result<String, EngineError> {
    check(tools)?;
    let calls: Vec<String> = (0..tools.len()).map(|i| format!("call-{i}")).collect();
    let calls = calls.join(" | ");
    let mut text = match spacing {
        Spacing::Fixed => format!("root ::= {calls}\n"),
        Spacing::Free => format!("root ::= ws ({calls})\n"),
    };
    for (i, tool) in tools.iter().enumerate() {
        let name = literal(&json(&tool.name));
        let open = parts(&["\"{\"", "\"\\\"name\\\"\"", "\":\""], spacing);
        let middle = parts(&["\",\"", "\"\\\"arguments\\\"\"", "\":\""], spacing);
        let (open, middle) = (open.join(" "), middle.join(" "));
        let gap = inner_gap(spacing);
        text.push_str(&format!("call-{i} ::= {open} {name}{gap} {middle} args-{i}{gap} \"}}\"\n"));
        text.push_str(&format!("args-{i} ::= {}\n", arguments(&tool.parameters, spacing)));
    }
    if spacing == Spacing::Free {
        text.push_str("ws ::= \" \"? | \"\\n\" [ \\t]{0,8}\n");
    }
    text.push_str(COMMON);
    Ok(text)
}

fn check(tools: &[ToolSpec]) -> Result<(), EngineError> {
    let refuse = |reason: String| Err(EngineError::Request { reason });
    if tools.is_empty() {
        return refuse("a tool call is demanded, but no tool is named".into());
    }
    if tools.len() > TOOLS_MAX {
        return refuse(format!("{} tools are named; the limit is {TOOLS_MAX}", tools.len()));
    }
    match tools.iter().find(|t| t.parameters.len() > PARAMETERS_MAX) {
        Some(tool) => refuse(format!("the tool {} has more than {PARAMETERS_MAX} arguments", tool.name)),
        None => Ok(()),
    }
}

/// White space that only [`Spacing::Free`] allows.
fn inner_gap(spacing: Spacing) -> &'static str {
    match spacing {
        Spacing::Fixed => "",
        Spacing::Free => " ws",
    }
}

/// The parts with the white space that belongs after each.
fn parts(literals: &[&str], spacing: Spacing) -> Vec<String> {
    let after = |part: &&str| match (spacing, *part) {
        (Spacing::Free, part) => format!("{part} ws"),
        (Spacing::Fixed, part @ ("\",\"" | "\":\"")) => format!("{part} \" \""),
        (Spacing::Fixed, part) => part.to_owned(),
    };
    literals.iter().map(after).collect()
}

/// The rule for a tool's arguments object.
fn arguments(parameters: &[Parameter], spacing: Spacing) -> String {
    let required: Vec<String> = parameters.iter().filter(|p| p.required).map(|p| pair(p, spacing)).collect();
    let optional: Vec<String> = parameters.iter().filter(|p| !p.required).map(|p| pair(p, spacing)).collect();
    let gap = inner_gap(spacing);
    let comma = format!("{gap} {} ", parts(&["\",\""], spacing).join(" "));
    let then = |pairs: &[String]| pairs.iter().map(|p| format!(" ({comma}{p})?")).collect::<String>();
    let body = if !required.is_empty() {
        required.join(&comma) + &then(&optional)
    } else if optional.is_empty() {
        String::new()
    } else {
        // Any one of them may be the first; those after it may follow.
        let starts = (0..optional.len()).map(|i| {
            let (_, rest) = optional.split_at(i);
            let (first, after) = rest.split_at(1);
            first.concat() + &then(after)
        });
        format!("({})?", starts.collect::<Vec<_>>().join(" | "))
    };
    format!("\"{{\"{gap} {body}{gap} \"}}\"")
}

/// `"name": value` of one argument.
fn pair(parameter: &Parameter, spacing: Spacing) -> String {
    let value = match parameter.kind {
        ParameterKind::String => "string",
        ParameterKind::Integer => "integer",
        ParameterKind::Boolean => "boolean",
    };
    let gap = inner_gap(spacing);
    let colon = parts(&["\":\""], spacing).join(" ");
    format!("{}{gap} {colon} {value}", literal(&json(&parameter.name)))
}

/// A string as JSON writes it.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as a GBNF literal. JSON has escaped control characters already.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, kind: ParameterKind, required: bool) -> Parameter {
        Parameter { name: name.into(), kind, required }
    }

    fn tool(name: &str, parameters: Vec<Parameter>) -> ToolSpec {
        ToolSpec { name: name.into(), description: "does it".into(), parameters }
    }

    fn rule(grammar: &str, name: &str) -> String {
        let start = format!("{name} ::= ");
        grammar.lines().find_map(|l| l.strip_prefix(&start)).unwrap_or_default().to_owned()
    }

    #[test]
    fn each_tool_is_an_alternative_with_its_own_arguments() {
        let tools =
            [tool("read_file", vec![parameter("path", ParameterKind::String, true)]), tool("list_files", vec![])];
        let grammar = of_calls(&tools, Spacing::Fixed).unwrap();
        assert_eq!(rule(&grammar, "root"), "call-0 | call-1");
        assert_eq!(
            rule(&grammar, "call-0"),
            r#""{" "\"name\"" ":" " " "\"read_file\"" "," " " "\"arguments\"" ":" " " args-0 "}""#
        );
        assert_eq!(rule(&grammar, "args-0"), r#""{" "\"path\"" ":" " " string "}""#);
        assert_eq!(rule(&grammar, "args-1"), r#""{"  "}""#);
    }

    #[test]
    fn optional_arguments_follow_the_required_ones() {
        let parameters = vec![
            parameter("deep", ParameterKind::Boolean, false),
            parameter("path", ParameterKind::String, true),
            parameter("depth", ParameterKind::Integer, false),
        ];
        let args = rule(&of_calls(&[tool("t", parameters)], Spacing::Fixed).unwrap(), "args-0");
        assert_eq!(
            args,
            r#""{" "\"path\"" ":" " " string ( "," " " "\"deep\"" ":" " " boolean)? ( "," " " "\"depth\"" ":" " " integer)? "}""#
        );
    }

    #[test]
    fn with_optional_arguments_only_any_may_be_the_first() {
        let parameters =
            vec![parameter("a", ParameterKind::String, false), parameter("b", ParameterKind::Integer, false)];
        let args = rule(&of_calls(&[tool("t", parameters)], Spacing::Fixed).unwrap(), "args-0");
        assert_eq!(
            args,
            r#""{" ("\"a\"" ":" " " string ( "," " " "\"b\"" ":" " " integer)? | "\"b\"" ":" " " integer)? "}""#
        );
    }

    #[test]
    fn a_name_can_not_leave_its_literal() {
        let grammar = of_calls(&[tool("a\" | \"b\\\n", vec![])], Spacing::Fixed).unwrap();
        assert!(rule(&grammar, "call-0").contains(r#""\"a\\\" | \\\"b\\\\\\n\"""#), "{grammar}");
    }

    #[test]
    fn no_tools_and_too_many_tools_are_refused() {
        assert!(matches!(of_calls(&[], Spacing::Fixed), Err(EngineError::Request { .. })));
        let many: Vec<ToolSpec> = (0..=TOOLS_MAX).map(|i| tool(&format!("t{i}"), vec![])).collect();
        assert!(matches!(of_calls(&many, Spacing::Free), Err(EngineError::Request { .. })));
        let wide = (0..=PARAMETERS_MAX).map(|i| parameter(&format!("p{i}"), ParameterKind::String, true)).collect();
        assert!(matches!(of_calls(&[tool("t", wide)], Spacing::Free), Err(EngineError::Request { .. })));
    }
}
