use schema::label::Label;

use super::*;

/// Bytes of standing instructions and tools, as JSON function descriptions: the most wordy form in which a provider's
/// interface or a chat template shows them.
fn wordy_bytes(tools: &[ToolSpec]) -> usize {
    let kind = |kind| match kind {
        ParameterKind::String => "string",
        ParameterKind::Integer => "integer",
        ParameterKind::Boolean => "boolean",
    };
    let tool = |tool: &ToolSpec| {
        let properties: serde_json::Map<String, serde_json::Value> = tool
            .parameters
            .iter()
            .map(|one| (one.name.clone(), serde_json::json!({ "type": kind(one.kind) })))
            .collect();
        let required: Vec<&str> = tool.parameters.iter().filter(|one| one.required).map(|one| &*one.name).collect();
        serde_json::json!({ "type": "function", "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": { "type": "object", "properties": properties, "required": required },
        }})
    };
    let tools: Vec<_> = tools.iter().map(tool).collect();
    INSTRUCTIONS.len() + serde_json::to_string(&tools).unwrap().len()
}

fn says(speaker: Speaker, text: &str) -> Message {
    Message { speaker, text: text.to_owned(), label: Label::NOTHING }
}

#[test]
fn what_stands_above_a_bare_hi_is_small() {
    let above = wordy_bytes(&specs_for(&[says(Speaker::System, INSTRUCTIONS), says(Speaker::User, "hi")]));
    assert!(above <= 1_200, "{above} bytes, and the template comes on top");
}

#[test]
fn all_tools_are_small() {
    let above = wordy_bytes(&specs());
    assert!(above <= 3_700, "{above} bytes, and the template comes on top");
}

#[test]
fn a_request_and_work_that_has_begun_get_all_tools() {
    let request = says(Speaker::User, "please put the second paragraph of notes.txt first");
    assert_eq!(specs_for(std::slice::from_ref(&request)), specs());
    let hi = says(Speaker::User, "list files");
    assert!(specs_for(std::slice::from_ref(&hi)).len() < specs().len());
    assert_eq!(specs_for(&[hi, says(Speaker::Tool, "list_files: a")]), specs());
    assert!(specs().iter().all(|spec| spec.name != "undo"));
}

#[test]
fn every_tool_is_found_by_its_name_and_has_an_example() {
    for tool in ALL {
        assert_eq!(Tool::of(tool.about().name), Some(tool));
        assert!(example(tool).starts_with('{'));
    }
    assert_eq!(Tool::of("reboot"), None);
}
