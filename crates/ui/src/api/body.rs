//! What requests say: their query and their JSON.

use std::collections::BTreeMap;

use axum::http::Uri;
use bytes::Bytes;
use serde_json::Value;

use super::failure::Failure;

/// The parameters after the `?`.
#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Returns the parameters of a request; of those with one name the last counts.
    pub(crate) fn of(uri: &Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// Returns the text of a parameter; an empty one counts as none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Returns the value of a parameter.
    ///
    /// # Errors
    /// When it cannot be read as one.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Failure::invalid(format!("`{text}` is no value of `{name}`")))
    }
}

/// Returns the text that a part of a query stands for (`application/x-www-form-urlencoded`).
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the JSON object of a request; nothing at all is an empty one, as for Skaffold.
///
/// # Errors
/// When it is none.
pub(crate) fn object(body: &Bytes) -> Result<serde_json::Map<String, Value>, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(serde_json::Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::invalid("the body is no JSON object")),
        Err(error) => Err(Failure::invalid(format!("the body is no JSON: {error}"))),
    }
}

/// Returns a switch of a JSON object; none if it is not there.
///
/// # Errors
/// When it is neither true nor false.
pub(crate) fn switch(object: &serde_json::Map<String, Value>, name: &str) -> Result<Option<bool>, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(other) => Err(Failure::invalid(format!("`{name}` is true or false, not {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_browsers_write_them() {
        let query = Query::of(&"/v1/logs?artifact=gcr.io%2Fp%2Fweb&follow=true&empty=&tail=5&tail=7&s=a+b%zz%4".parse().unwrap());
        assert_eq!(query.text("artifact"), Some("gcr.io/p/web"));
        assert_eq!(query.text("s"), Some("a b%zz%4"));
        assert_eq!(query.text("empty"), None);
        assert_eq!(query.parsed::<usize>("tail").unwrap(), Some(7));
        assert_eq!(query.parsed::<bool>("follow").unwrap(), Some(true));
        assert!(query.parsed::<usize>("artifact").is_err());
        assert_eq!(Query::of(&"/v1/logs".parse().unwrap()).parsed::<u64>("after").unwrap(), None);
    }

    #[test]
    fn bodies_are_objects_with_switches() {
        assert!(object(&Bytes::from_static(b" ")).unwrap().is_empty());
        assert!(object(&Bytes::from_static(b"[]")).is_err());
        assert!(object(&Bytes::from_static(b"build=true")).is_err());
        let read = object(&Bytes::from_static(br#"{"build":true,"sync":null,"deploy":"yes"}"#)).unwrap();
        assert_eq!(switch(&read, "build").unwrap(), Some(true));
        assert_eq!(switch(&read, "sync").unwrap(), None);
        assert_eq!(switch(&read, "other").unwrap(), None);
        assert!(switch(&read, "deploy").is_err());
    }
}
