//! The public API, described for people: the page is made from the same document that programs read.

pub mod api;
#[cfg(feature = "ssr")]
mod read;
pub mod view;

use serde::{Deserialize, Serialize};

/// Everything on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docs {
    /// What holds for all of it.
    pub description: String,
    /// Endpoints by subject.
    pub groups: Vec<Group>,
    /// What goes in and comes out.
    pub shapes: Vec<Shape>,
}

/// Endpoints of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// A method of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `GET`, `POST`.
    pub method: String,
    /// Path with `{names}`.
    pub path: String,
    /// What it does.
    pub description: String,
    /// What stands in path, query and headers.
    pub params: Vec<Field>,
    /// Shape of the body.
    pub body: Option<String>,
    /// What comes back.
    pub answers: Vec<Answer>,
    /// A command that does it.
    pub curl: String,
}

/// One possible answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: String,
    /// When, or what.
    pub description: String,
    /// Shape of the body.
    pub shape: Option<String>,
}

/// A JSON object, or a choice of words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field or a parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Type in words.
    pub kind: String,
    /// Must be there.
    pub required: bool,
    /// What it means.
    pub description: String,
}
