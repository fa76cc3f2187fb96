//! `--output TEMPLATE`: Go templates over Go structures, as `build` and `version` print them
//! (`cmd/skaffold/app/flags/template.go`).

use std::sync::Arc;

use gotmpl::Template;
use gotmpl::TemplateError;
use gotmpl::Value;

/// A template that prints a structure.
pub(crate) struct OutputTemplate(Template);

/// Why `--output` is no template, or does not fit what is printed.
#[derive(Debug, thiserror::Error)]
#[error("the template of `--output` is wrong: {0}")]
pub(crate) struct OutputTemplateError(#[from] TemplateError);

impl OutputTemplateError {
    /// Returns the diagnostic.
    pub(crate) fn diagnostic(&self) -> devloop_model::Diagnostic {
        devloop_model::Diagnostic::error("cli/invalid-template", "the template of `--output` is wrong")
            .because(self.0.to_string())
            .help("it is a Go template with the functions json, join, title, lower and upper")
    }
}

/// How `{{json .}}` names the fields of Go structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonNames {
    /// As they are: `Version`.
    AsInGo,
    /// With a small first letter, as the tags of `build`'s structures say: `imageName`; what is empty is left out.
    SmallFirst,
}

impl OutputTemplate {
    /// Returns the template if it parses; the words `\n` and `\t` in it are what they are in Go's strings only if the shell made them so.
    ///
    /// # Errors
    /// When it does not parse.
    pub(crate) fn parse(text: &str, names: JsonNames) -> Result<Self, OutputTemplateError> {
        let template = Template::new("flagtemplate")
            .missing_key(gotmpl::MissingKey::Error)
            .func("json", move |arguments| Ok(text_value(&json(arguments.first().unwrap_or(&Value::Nil), names).to_string())))
            .func("join", join)
            .func("title", |arguments| text_of(arguments).map(|text| text_value(&title(&text))))
            .func("lower", |arguments| text_of(arguments).map(|text| text_value(&text.to_lowercase())))
            .func("upper", |arguments| text_of(arguments).map(|text| text_value(&text.to_uppercase())))
            .parse(text)?;
        Ok(Self(template))
    }

    /// Returns the text for `data`, whose keys are the names of Go's fields.
    ///
    /// # Errors
    /// When the template asks for something that is not there.
    pub(crate) fn print(&self, data: &serde_json::Value) -> Result<String, OutputTemplateError> {
        Ok(self.0.execute_to_string(&value(data))?)
    }
}

fn text_value(text: &str) -> Value {
    Value::String(text.into())
}

fn text_of(arguments: &[Value]) -> Result<String, TemplateError> {
    arguments.first().and_then(Value::as_str).map(str::to_owned).ok_or_else(|| TemplateError::Exec("expected a text".into()))
}

fn join(arguments: &[Value]) -> Result<Value, TemplateError> {
    let (Some(Value::List(parts)), Some(separator)) = (arguments.first(), arguments.get(1).and_then(Value::as_str)) else {
        return Err(TemplateError::Exec("expected a list and a separator".into()));
    };
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    Ok(text_value(&parts.join(separator)))
}

/// Makes the first letter of each word large, as Go's `strings.Title`.
fn title(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .flat_map(|c| {
            let first = !inside;
            inside = c.is_alphanumeric() || c == '_' || c == '\'';
            if first { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

fn value(data: &serde_json::Value) -> Value {
    match data {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int),
        serde_json::Value::String(text) => text_value(text),
        serde_json::Value::Array(values) => Value::List(values.iter().map(value).collect()),
        serde_json::Value::Object(fields) => {
            Value::Map(Arc::new(fields.iter().map(|(name, field)| (name.as_str().into(), value(field))).collect()))
        }
    }
}

fn json(data: &Value, names: JsonNames) -> serde_json::Value {
    let named = |name: &str| match names {
        JsonNames::AsInGo => name.to_owned(),
        JsonNames::SmallFirst => name.chars().take(1).flat_map(char::to_lowercase).chain(name.chars().skip(1)).collect(),
    };
    match data {
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.as_ref().into(),
        Value::List(values) => values.iter().map(|value| json(value, names)).collect(),
        Value::Map(fields) => {
            let shown = fields.iter().filter(|(_, value)| names == JsonNames::AsInGo || value.as_str() != Some(""));
            shown.map(|(name, value)| (named(name), json(value, names))).collect::<serde_json::Map<_, _>>().into()
        }
        _ => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_print_go_structures() {
        let data = serde_json::json!({"Builds": [
            {"ImageName": "web", "Tag": "web:v1", "RuntimeType": ""},
            {"ImageName": "api", "Tag": "api:v2", "RuntimeType": "go"},
        ]});
        for (template, text) in [
            ("{{json .}}", r#"{"builds":[{"imageName":"web","tag":"web:v1"},{"imageName":"api","runtimeType":"go","tag":"api:v2"}]}"#),
            ("{{range .Builds}}<{{.RuntimeType}}>{{end}}", "<><go>"),
            ("{{range .Builds}}{{.ImageName}}={{.Tag}} {{end}}", "web=web:v1 api=api:v2 "),
            ("{{upper (index .Builds 0).Tag}} {{lower \"ABC\"}} {{title \"ab cd's\"}}", "WEB:V1 abc Ab Cd's"),
            ("{{json (index .Builds 0).Tag}}", r#""web:v1""#),
        ] {
            assert_eq!(OutputTemplate::parse(template, JsonNames::SmallFirst).unwrap().print(&data).unwrap(), text, "{template}");
        }
        assert!(OutputTemplate::parse("{{json .", JsonNames::AsInGo).is_err());
        for template in ["{{lower .Builds}}", "{{.Nope}}", "{{range .Builds}}{{.Nope}}{{end}}", "{{(index .Builds 0).Nope}}"] {
            assert!(OutputTemplate::parse(template, JsonNames::AsInGo).unwrap().print(&data).is_err(), "{template}");
        }
    }
}
