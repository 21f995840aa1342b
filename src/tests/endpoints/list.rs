//! Every endpoint of the running site, found in the code itself: the paths in the router, their methods by asking, what
//! they take from the OpenAPI document (`/api`) and from the signatures of server functions (`/fn`).

use super::source::Source;
use crate::{
    server::{openapi, router},
    tests::{Client, PASSWORD, TestApp},
};
use axum::{
    body::Body,
    http::{Method, Request},
};
use leptos::server_fn::axum::server_fn_paths;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Where a value goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// `{name}` of the path.
    Path,
    /// The query.
    Query,
    /// A field of a form.
    Form,
    /// A pointer into the JSON body.
    Json(String),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An id.
    Id,
    /// The name of a character in addresses.
    Slug,
    /// Any text.
    Text,
    /// A number, a word of a list, yes or no.
    Fixed,
}

/// One value that an endpoint takes.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Name in its place.
    pub name: String,
    /// Where it goes.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
    /// A plausible value; ids have none.
    pub value: String,
}

/// One method of one path.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path, with names in braces.
    pub route: String,
    /// Everything it takes.
    pub leaves: Vec<Leaf>,
    /// The JSON body, if it takes one.
    pub json: Option<Value>,
    /// Whether it is described: what it takes is known.
    pub is_known: bool,
}

impl Endpoint {
    /// `POST /api/ocs`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.route)
    }

    /// Whether it answers with JSON to programs.
    pub fn is_api(&self) -> bool {
        self.route.starts_with("/api/")
    }

    /// Whether it only reads.
    pub fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Whether any of its leaves names something.
    pub fn has_ids(&self) -> bool {
        self.leaves.iter().any(|l| matches!(l.kind, Kind::Id | Kind::Slug))
    }

    /// A request in which each leaf has the value that `fill` gives it.
    pub fn request(&self, fill: impl Fn(usize, &Leaf) -> String) -> Request<Body> {
        let mut path = self.route.clone();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let mut json = self.json.clone();
        for (n, leaf) in self.leaves.iter().enumerate() {
            let value = fill(n, leaf);
            match &leaf.place {
                Place::Path => path = path.replace(&format!("{{{}}}", leaf.name), &percent(&value)),
                Place::Query => drop(query.append_pair(&leaf.name, &value)),
                Place::Form => drop(form.append_pair(&leaf.name, &value)),
                Place::Json(pointer) => {
                    if let Some(place) = json.as_mut().and_then(|j| j.pointer_mut(pointer))
                        && leaf.kind != Kind::Fixed
                    {
                        *place = Value::String(value);
                    }
                }
            }
        }
        let mut query = query.finish();
        let mut body = form.finish();
        if self.is_read() && !body.is_empty() {
            query = std::mem::take(&mut body);
        }
        let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
        let page = !uri.starts_with("/api") && !uri.starts_with("/fn");
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .header("accept", if page { "text/html,*/*;q=0.8" } else { "application/json" });
        let body = match json {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None if !body.is_empty() => {
                request = request.header("content-type", "application/x-www-form-urlencoded");
                Body::from(body)
            }
            // What is not described is an upload.
            None if !self.is_known => {
                request = request.header("content-type", "multipart/form-data; boundary=x");
                Body::from(
                    "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\nabc\r\n--x--\r\n",
                )
            }
            None => Body::empty(),
        };
        request.body(body).expect("a request")
    }

    /// A request with plausible values, and `id` and `slug` for whatever names something.
    pub fn plausible(&self, id: &str, slug: &str) -> Request<Body> {
        self.request(|_, leaf| leaf.naming(id, slug))
    }
}

impl Leaf {
    /// Its plausible value, or what it should name.
    pub fn naming(&self, id: &str, slug: &str) -> String {
        match self.kind {
            Kind::Id if self.name == "file" => format!("{id}.css"),
            Kind::Id => id.to_owned(),
            Kind::Slug => slug.to_owned(),
            // Names and addresses are taken once and not twice.
            Kind::Text if self.value == "somebody@example.org" => format!("somebody{}@example.org", next()),
            Kind::Text if self.value == "somebody" => format!("somebody{}", next()),
            Kind::Text if self.last() == "name" => format!("{} {}", self.value, next()),
            Kind::Text | Kind::Fixed => self.value.clone(),
        }
    }

    /// The last part of its name: `title` of `form[title]`.
    pub fn last(&self) -> &str {
        self.name.rsplit(['[', '/']).next().unwrap_or_default().trim_end_matches(']')
    }

    fn new(name: &str, place: Place, kind: Kind) -> Self {
        let value = plausible(name.rsplit(['[', '/']).next().unwrap_or(name).trim_end_matches(']'));
        Self { name: name.to_owned(), place, kind, value: value.to_owned() }
    }
}

fn next() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Everything that is not a plain letter, as `%..`.
pub fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// A value that forms accept under this name.
fn plausible(name: &str) -> &'static str {
    match name {
        "email" => "somebody@example.org",
        "username" => "somebody",
        "birth_date" => "1990-01-31",
        "timezone" => "Europe/Vienna",
        "password" | "password_again" | "current" | "current_password" | "new_password" => PASSWORD,
        "background" | "primary" | "primary_color" | "primaryColor" | "accent" | "accent_color" | "accentColor" => {
            "#4477AA"
        }
        "mood" => "calm",
        "atmosphere" => "cosy",
        "format" => "json",
        "rarity" => "common",
        "content_rating" => "general",
        "pronoun" => "she",
        "age_band" => "adult",
        "part" => "visual_style",
        "kind" => "oc",
        "sort" => "newest",
        "change" => "keep",
        "scopes" | "access" => "read",
        "note_depth" => "4",
        "confirm" => "Walled",
        "rating" => "3",
        "after" | "before" | "from" | "at" | "next" | "key" | "persona" | "invite" => "",
        _ => "A keeper of small lamps",
    }
}

fn kind(name: &str, is_uuid: bool) -> Kind {
    match name {
        "slug" => Kind::Slug,
        "id" | "file" => Kind::Id,
        _ if is_uuid || name.ends_with("_id") => Kind::Id,
        _ => Kind::Text,
    }
}

/// Every endpoint of a site.
pub async fn all(app: &TestApp) -> Vec<Endpoint> {
    let document = serde_json::to_value(&*openapi::DOCUMENT).expect("the OpenAPI document");
    let source = Source::read();
    let functions = source.functions();
    let registered: BTreeSet<String> = server_fn_paths().map(|(path, _)| path.to_owned()).collect();
    let written: BTreeSet<String> = functions.keys().cloned().collect();
    assert_eq!(registered, written, "the registry of server functions and the source differ");

    let mut endpoints = Vec::new();
    let anybody = app.client();
    for route in paths(app) {
        for method in methods(&anybody, &route).await {
            let mut leaves = Vec::new();
            for name in names_in(&route) {
                // A part of a path names something, by id unless it says otherwise.
                let is_id = !matches!(name.as_str(), "username" | "token" | "key" | "name");
                leaves.push(Leaf::new(&name, Place::Path, kind(&name, is_id)));
            }
            let mut endpoint = Endpoint { method, route: route.clone(), leaves, json: None, is_known: true };
            if let Some((file, arguments)) = functions.get(&route) {
                for (name, kind) in arguments {
                    form_leaves(&mut endpoint.leaves, &source, file, name, kind);
                }
            } else if endpoint.is_api() {
                describe(&mut endpoint, &document);
            } else {
                endpoint.is_known = endpoint.is_read();
            }
            endpoints.push(endpoint);
        }
    }
    endpoints.sort_by_key(Endpoint::name);
    let known: BTreeSet<String> = endpoints.iter().map(Endpoint::name).collect();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            let name = format!("{} {path}", method.to_uppercase());
            assert!(known.contains(&name), "{name} is described, but no route");
        }
    }
    endpoints
}

/// The paths in the router, as it shows itself.
fn paths(app: &TestApp) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for shown in [format!("{:?}", router::routes(&app.state)), format!("{:?}", app.router)] {
        for part in shown.split("RouteId(").skip(1) {
            if let Some((_, rest)) = part.split_once("): \"")
                && let Some((path, _)) = rest.split_once('"')
                && part.find("): \"") < Some(12)
                && !path.contains("__private")
            {
                found.insert(path.to_owned());
            }
        }
    }
    for known in ["/", "/api/ocs", "/fn/accounts/sign_out", "/livez", "/c/{slug}", "/avatars/{key}"] {
        assert!(
            found.contains(known),
            "the router no longer shows its paths as it did: {known} is missing in {found:?}"
        );
    }
    found
}

/// The methods of a path: whoever asks with an unknown one is told.
async fn methods(anybody: &Client, route: &str) -> Vec<Method> {
    let mut path = route.to_owned();
    for name in names_in(route) {
        path = path.replace(&format!("{{{name}}}"), "x");
    }
    let path = path.replace("{*", "").replace('}', "");
    let answer = anybody.send(Request::builder().method("PURGE").uri(&path).body(Body::empty()).unwrap()).await;
    if answer.status != 405 {
        assert_eq!(answer.status, 404, "PURGE {path}");
        return Vec::new();
    }
    if route.starts_with("/api") {
        assert_eq!(answer.json()["error"]["code"], "method_not_allowed", "PURGE {path}: {}", answer.text);
    }
    let methods = answer.header("allow").split(',').map(|m| m.parse().expect("a method"));
    methods.filter(|m: &Method| *m != Method::HEAD).collect()
}

fn names_in(route: &str) -> Vec<String> {
    route.split('{').skip(1).filter_map(|p| p.split('}').next()).map(|n| n.trim_start_matches('*').to_owned()).collect()
}

/// What an argument of a server function becomes in a form.
fn form_leaves(leaves: &mut Vec<Leaf>, source: &Source, file: &Path, name: &str, written: &str) {
    let inner = |outer: &str| written.strip_prefix(outer).and_then(|t| t.strip_suffix('>'));
    if let Some(inner) = inner("Option<") {
        return form_leaves(leaves, source, file, name, inner);
    }
    if let Some(inner) = inner("Vec<") {
        return form_leaves(leaves, source, file, &format!("{name}[0]"), inner);
    }
    let last = name.rsplit('[').next().unwrap_or(name).trim_end_matches(']');
    let short = written.rsplit("::").next().unwrap_or(written);
    let is_id = short.ends_with("Id") && short.len() > 2;
    let fixed = match short {
        "bool" => Some("true".to_owned()),
        "u8" | "u16" | "u32" | "u64" | "i16" | "i32" | "i64" | "f32" | "f64" => Some("1".to_owned()),
        _ => None,
    };
    if let Some(value) = fixed {
        leaves.push(Leaf { value, ..Leaf::new(name, Place::Form, Kind::Fixed) });
    } else if is_id || short == "String" {
        leaves.push(Leaf::new(name, Place::Form, kind(last, is_id)));
    } else if let Some(fields) = source.fields_of(short, file) {
        for (field, kind) in fields {
            form_leaves(leaves, source, file, &format!("{name}[{field}]"), &kind);
        }
    } else {
        let value = source.word_of(short, file).unwrap_or_else(|| panic!("{name}: what is a {short}?"));
        leaves.push(Leaf { value, ..Leaf::new(name, Place::Form, Kind::Fixed) });
    }
}

/// Takes parameters and body of a route of the API from its description.
fn describe(endpoint: &mut Endpoint, document: &Value) {
    let item = &document["paths"][endpoint.route.as_str()][endpoint.method.as_str().to_lowercase()];
    endpoint.is_known = item.is_object();
    for parameter in item["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" {
            let name = parameter["name"].as_str().expect("a name");
            let number = parameter["schema"].to_string().contains("integer");
            let boolean = parameter["schema"].to_string().contains("boolean");
            let mut leaf = Leaf::new(name, Place::Query, kind(name, false));
            if number || boolean {
                leaf = Leaf { kind: Kind::Fixed, value: if number { "1" } else { "true" }.to_owned(), ..leaf };
            }
            endpoint.leaves.push(leaf);
        }
    }
    let schema = &item["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_object() {
        let mut body = example(schema, document, "");
        if endpoint.name() == "PATCH /api/ocs/{id}"
            && let Some(fields) = body.as_object_mut()
        {
            // Items have endpoints of their own, and any version but the present one is a conflict.
            fields.retain(|name, _| !matches!(name.as_str(), "items" | "version"));
        }
        json_leaves(&mut endpoint.leaves, &body, schema, document, "");
        endpoint.json = Some(body);
    }
}

fn resolve<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolve(document.pointer(name.trim_start_matches('#')).expect("a schema"), document);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(options) = schema[choice].as_array() {
            let some = options.iter().find(|o| o["type"] != "null").expect("a choice");
            return resolve(some, document);
        }
    }
    schema
}

fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or("string"),
        one => one.as_str().unwrap_or("object"),
    }
}

fn example(schema: &Value, document: &Value, name: &str) -> Value {
    let schema = resolve(schema, document);
    if let Some(words) = schema["enum"].as_array() {
        return words.first().cloned().unwrap_or_default();
    }
    match type_of(schema) {
        "string" => json!(plausible(name)),
        "boolean" => json!(false),
        "integer" | "number" => json!(1),
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(1).max(1);
            json!((0..count).map(|_| example(&schema["items"], document, name)).collect::<Vec<_>>())
        }
        _ => {
            let fields = schema["properties"].as_object().cloned().unwrap_or_default();
            // An object of any shape is left out, and so are things of a thing that has an address of its own.
            let is_any =
                |s: &Value| type_of(resolve(s, document)) == "object" && resolve(s, document)["properties"].is_null();
            let known = fields.iter().filter(|(_, s)| !is_any(s));
            Value::Object(known.map(|(n, s)| (n.clone(), example(s, document, n))).collect::<Map<_, _>>())
        }
    }
}

fn json_leaves(leaves: &mut Vec<Leaf>, body: &Value, schema: &Value, document: &Value, pointer: &str) {
    let schema = resolve(schema, document);
    match body {
        Value::String(_) if schema["enum"].is_null() => {
            let name = pointer.rsplit('/').find(|p| p.parse::<u32>().is_err()).unwrap_or_default();
            let kind = kind(name, schema["format"] == "uuid");
            leaves.push(Leaf::new(name, Place::Json(pointer.to_owned()), kind));
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                json_leaves(leaves, item, &schema["items"], document, &format!("{pointer}/{n}"));
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                json_leaves(leaves, value, &schema["properties"][name], document, &format!("{pointer}/{name}"));
            }
        }
        _ => {}
    }
}

/// A list of endpoints that differ from the rule, each with its reason; one that does not differ is a fault of the list.
pub struct Exceptions {
    rule: &'static str,
    reasons: BTreeMap<&'static str, &'static str>,
    used: BTreeSet<&'static str>,
    faults: Vec<String>,
}

impl Exceptions {
    /// From pairs of `METHOD /path` and reason.
    pub fn new(rule: &'static str, list: &[(&'static str, &'static str)]) -> Self {
        assert!(list.iter().all(|(_, reason)| reason.len() > 8), "each exception needs a reason");
        Self { rule, reasons: list.iter().copied().collect(), used: BTreeSet::new(), faults: Vec::new() }
    }

    /// Notes whether an endpoint keeps the rule.
    pub fn judge(&mut self, endpoint: &Endpoint, keeps: bool, what: impl FnOnce() -> String) {
        match (self.reasons.get_key_value(endpoint.name().as_str()), keeps) {
            (Some((name, _)), false) => drop(self.used.insert(name)),
            (None, false) => self.faults.push(format!("{}: {}", endpoint.name(), what())),
            (_, true) => {}
        }
    }

    /// Says what was found.
    pub fn finish(mut self) {
        for name in self.reasons.keys().filter(|n| !self.used.contains(*n)) {
            self.faults.push(format!("{name} is listed as an exception and keeps the rule"));
        }
        assert!(self.faults.is_empty(), "{}:\n{}", self.rule, self.faults.join("\n"));
    }
}
