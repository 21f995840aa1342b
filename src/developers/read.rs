//! Reads the OpenAPI document into what the page shows.

use super::{Answer, Docs, Endpoint, Field, Group, Shape};
use crate::error::{AppError, AppResult};
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

/// The page of a document, with examples against `origin`.
///
/// # Errors
/// `Internal` if the document is not JSON, which it always is.
pub fn docs(document: &OpenApi, origin: &str) -> AppResult<Docs> {
    let document = serde_json::to_value(document).map_err(|error| {
        tracing::error!(%error, "the OpenAPI document cannot be written");
        AppError::Internal
    })?;
    let mut docs = Docs { description: text(&document, "/info/description"), ..Docs::default() };
    for tag in list(&document, "/tags") {
        docs.groups.push(Group { name: text(tag, "/name"), description: text(tag, "/description"), endpoints: vec![] });
    }
    for (path, item) in entries(&document, "/paths") {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !operation.is_object() {
                continue;
            }
            let endpoint = endpoint(&document, origin, path, &method.to_uppercase(), operation);
            let tag = text(operation, "/tags/0");
            match docs.groups.iter_mut().find(|g| g.name == tag) {
                Some(group) => group.endpoints.push(endpoint),
                None => docs.groups.push(Group { name: tag, description: String::new(), endpoints: vec![endpoint] }),
            }
        }
    }
    docs.groups.retain(|g| !g.endpoints.is_empty());
    docs.shapes = entries(&document, "/components/schemas").map(|(name, schema)| shape(name, schema)).collect();
    Ok(docs)
}

fn endpoint(document: &Value, origin: &str, path: &str, method: &str, operation: &Value) -> Endpoint {
    let summary = text(operation, "/summary");
    let rest = text(operation, "/description");
    let body = operation.pointer("/requestBody/content").and_then(Value::as_object).and_then(first_schema).map(kind);
    let params = list(operation, "/parameters").map(|p| Field {
        name: text(p, "/name"),
        kind: format!("{} in {}", p.get("schema").map(kind).unwrap_or_default(), text(p, "/in")),
        required: p.get("required").and_then(Value::as_bool).unwrap_or(false),
        description: text(p, "/description"),
    });
    let answers = entries(operation, "/responses").map(|(status, answer)| Answer {
        status: status.clone(),
        description: text(answer, "/description"),
        shape: answer.get("content").and_then(Value::as_object).and_then(first_schema).map(kind),
    });
    let open = operation
        .get("security")
        .and_then(Value::as_array)
        .is_some_and(|s| s.iter().all(|r| r.as_object().is_some_and(Map::is_empty)));
    Endpoint {
        curl: curl(document, origin, path, method, body.as_deref(), open),
        method: method.to_owned(),
        path: path.to_owned(),
        description: if rest.is_empty() { summary } else { format!("{summary} {rest}") },
        params: params.collect(),
        answers: answers.collect(),
        body,
    }
}

fn curl(document: &Value, origin: &str, path: &str, method: &str, body: Option<&str>, open: bool) -> String {
    let mut command = "curl".to_owned();
    if method != "GET" && !(method == "POST" && body.is_some()) {
        command.push_str(&format!(" -X {method}"));
    }
    if !open {
        command.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    }
    let schema = body.and_then(|b| document.pointer(&format!("/components/schemas/{b}")));
    if let Some(schema) = schema {
        command.push_str(" \\\n  --json '");
        command.push_str(&example(document, schema, 0).to_string().replace('\'', "'\\''"));
        command.push('\'');
    }
    command.push_str(&format!(" \\\n  {origin}{path}"));
    command
}

/// An example of a schema: its own, or one made of its required fields.
fn example(document: &Value, schema: &Value, depth: u8) -> Value {
    if let Some(example) = schema.get("example").or_else(|| schema.pointer("/examples/0")) {
        return example.clone();
    }
    if let Some(name) = reference(schema) {
        let inner = document.pointer(&format!("/components/schemas/{name}"));
        return inner.filter(|_| depth < 4).map_or(Value::Null, |s| example(document, s, depth + 1));
    }
    if let Some(word) = schema.pointer("/enum/0") {
        return word.clone();
    }
    let kind = schema.get("type");
    let is = |name: &str| kind.is_some_and(|k| k == name || k.as_array().is_some_and(|a| a.iter().any(|v| v == name)));
    if is("object") {
        let required: Vec<&str> = list(schema, "/required").filter_map(Value::as_str).collect();
        let fields = entries(schema, "/properties").filter(|(name, _)| required.contains(&name.as_str()));
        return Value::Object(fields.map(|(n, s)| (n.clone(), example(document, s, depth + 1))).collect());
    }
    if is("array") {
        Value::Array(vec![])
    } else if is("integer") || is("number") {
        Value::from(1)
    } else if is("boolean") {
        Value::from(true)
    } else {
        Value::from("...")
    }
}

fn shape(name: &str, schema: &Value) -> Shape {
    let required: Vec<&str> = list(schema, "/required").filter_map(Value::as_str).collect();
    let mut fields: Vec<Field> = entries(schema, "/properties")
        .map(|(name, s)| Field {
            name: name.clone(),
            kind: kind(s),
            required: required.contains(&name.as_str()),
            description: text(s, "/description"),
        })
        .collect();
    if fields.is_empty() {
        fields.push(Field { kind: kind(schema), ..Field::default() });
    }
    Shape { name: name.to_owned(), description: text(schema, "/description"), fields }
}

/// A schema in a few words: `string`, `Token[]`, `Stamp or null`.
fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return name.to_owned();
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(many) = schema.get(choice).and_then(Value::as_array) {
            let mut words: Vec<String> = many.iter().map(kind).collect();
            words.sort_by_key(|w| w == "null");
            words.dedup();
            return words.join(" or ");
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|w| w.as_str().map_or_else(|| w.to_string(), |w| format!("\"{w}\"")))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let one = |name: &str| match name {
        "array" => format!("{}[]", schema.get("items").map(kind).unwrap_or_default()),
        "string" => match schema.get("format").and_then(Value::as_str) {
            Some(format) => format!("string ({format})"),
            None => "string".to_owned(),
        },
        other => other.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => one(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next())
}

fn first_schema(content: &Map<String, Value>) -> Option<&Value> {
    content.get("application/json").or_else(|| content.values().next()).and_then(|c| c.get("schema"))
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn entries<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_described() {
        let docs = docs(&crate::server::openapi::DOCUMENT, "http://127.0.0.1:3000").unwrap();
        let endpoints: Vec<_> = docs.groups.iter().flat_map(|g| &g.endpoints).collect();
        assert!(endpoints.len() >= 7);
        for endpoint in &endpoints {
            assert!(!endpoint.description.is_empty(), "{} {}", endpoint.method, endpoint.path);
            assert!(!endpoint.answers.is_empty(), "{} {}", endpoint.method, endpoint.path);
        }
        let join = endpoints.iter().find(|e| e.path == "/api/accounts").unwrap();
        assert!(join.curl.contains("violet harbour lantern nine"), "{}", join.curl);
        assert!(!join.curl.contains("TOKEN"), "{}", join.curl);
        assert!(docs.shapes.iter().any(|s| s.name == "ErrorBody"));
    }
}
