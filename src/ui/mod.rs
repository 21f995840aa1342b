//! Our own small component set. No component here knows a feature.
//!
//! How a component is written: few props, each documented; variants are enums; `class` appends. Text of the application
//! is set in the interface face by default; wrap what a character says in the class `voice`.

mod arrival;
mod field;
mod icon;
mod kept;
mod load;
mod page;
mod portrait;
mod sections;
mod sure;

pub use arrival::focus_heading_on_arrival;
pub use field::{
    Check, Choice, Draft, Form, FormNote, PasswordInput, Select, Submit, TextArea, TextInput, capital, escape, grouped,
};
pub use icon::{Icon, IconName};
pub use load::{JsonBytes, Loaded, load, load_later};
pub use page::{Empty, ErrorView, PageTitle, Time};
pub use portrait::{Initials, Mini, Plate};
pub use sections::Sections;
pub use sure::Sure;
