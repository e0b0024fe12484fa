//! `poll` and `stop` tell of a command that another call started: what it changed is that action's, and is taken back by
//! that number.

use serde_json::Value;

/// The action whose changes a call of `tool` tells of, where they are not its own.
pub fn tells_of(tool: &str, arguments: &str) -> Option<u64> {
    if tool != "poll" && tool != "stop" {
        return None;
    }
    serde_json::from_str::<Value>(arguments).ok()?.get("id")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::tells_of;

    #[test]
    fn only_poll_and_stop_tell_of_another() {
        assert_eq!(tells_of("poll", r#"{"id":7,"wait_ms":5}"#), Some(7));
        assert_eq!(tells_of("stop", r#"{"id":7}"#), Some(7));
        for (tool, arguments) in [("undo", r#"{"id":7}"#), ("poll", "{}"), ("poll", r#"{"id":"7"}"#), ("poll", "{")] {
            assert_eq!(tells_of(tool, arguments), None, "{tool} {arguments}");
        }
    }
}
