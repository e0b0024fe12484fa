//! Arguments of a tool call: a JSON object, `key=value …`, or `-` for a JSON object on standard input.

use serde_json::{Map, Value};

/// How the arguments were given.
#[derive(PartialEq, Eq, Debug)]
pub enum Given<'a> {
    /// On standard input.
    Input,
    /// As JSON text.
    Json(&'a str),
    /// As pairs.
    Pairs(&'a [String]),
}

/// Which of the three it is.
pub fn given(words: &[String]) -> Given<'_> {
    match words {
        [one] if one == "-" => Given::Input,
        [one] if one.trim_start().starts_with('{') => Given::Json(one),
        pairs => Given::Pairs(pairs),
    }
}

/// The object in a JSON text, written again without spaces, or what is wrong with it.
pub fn from_json(text: &str) -> Result<String, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Value::Object(object).to_string()),
        Ok(_) => Err("the arguments are JSON, but not an object: {\"name\": value, …}".to_owned()),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

/// The object that pairs write. `true`, `false` and whole numbers are what they look like; anything else is a string,
/// and so is a value behind `:=`-free quotes: `key='"7"'`.
pub fn from_pairs(pairs: &[String]) -> Result<String, String> {
    let mut object = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("{pair:?} is no argument: write key=value, or all of them as one JSON object"));
        };
        if object.insert(key.to_owned(), typed(value)).is_some() {
            return Err(format!("the argument {key:?} is given twice"));
        }
    }
    Ok(Value::Object(object).to_string())
}

fn typed(value: &str) -> Value {
    if let Ok(flag) = value.parse::<bool>() {
        return Value::from(flag);
    }
    match value.parse::<i64>() {
        // Only what is written as a number would be: `007` and `+7` are text.
        Ok(number) if number.to_string() == value => Value::from(number),
        _ => match serde_json::from_str(value) {
            Ok(Value::String(text)) if value.starts_with('"') => Value::from(text),
            _ => Value::from(value),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, from_json, from_pairs, given};

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_three_forms_are_told_apart() {
        assert_eq!(given(&words(&["-"])), Given::Input);
        assert_eq!(given(&words(&[r#"{"a":1}"#])), Given::Json(r#"{"a":1}"#));
        assert_eq!(given(&words(&["a=1", "b=2"])), Given::Pairs(&words(&["a=1", "b=2"])));
        assert_eq!(given(&[]), Given::Pairs(&[]));
    }

    #[test]
    fn pairs_become_what_they_look_like() {
        let object = from_pairs(&words(&["command=ls -l a=b", "n=30", "on=true", "id=007", "q=\"7\"", "empty="]));
        let object: serde_json::Value = serde_json::from_str(&object.unwrap()).unwrap();
        let expected =
            serde_json::json!({ "command": "ls -l a=b", "empty": "", "id": "007", "n": 30, "on": true, "q": "7" });
        assert_eq!(object, expected);
        assert_eq!(from_pairs(&[]).as_deref(), Ok("{}"));
    }

    #[test]
    fn what_is_no_pair_and_what_is_given_twice_is_said() {
        assert!(from_pairs(&words(&["ls"])).is_err_and(|e| e.contains("key=value")));
        assert!(from_pairs(&words(&["=x"])).is_err());
        assert!(from_pairs(&words(&["a=1", "a=2"])).is_err_and(|e| e.contains("twice")));
    }

    #[test]
    fn json_must_be_an_object() {
        assert_eq!(from_json(r#" { "path" : "a b" } "#).as_deref(), Ok(r#"{"path":"a b"}"#));
        assert!(from_json("[1]").is_err_and(|e| e.contains("object")));
        assert!(from_json("{\"a\":").is_err_and(|e| e.contains("not JSON")));
    }
}
