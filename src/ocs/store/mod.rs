//! All SQL of the ocs room, one file a purpose.

mod featured;
mod gallery;
mod home;
mod items;
mod names;
mod near;
mod page;
mod persona;
mod versions;
mod write;

pub use featured::{feature, featured, move_featured, unfeature};
pub use gallery::{PAGE, gallery, mine, search};
pub use home::home;
pub use items::{add_item, equip_item, remove_item};
pub use names::{offer_name, slug_of};
pub use page::{Look, editable, find, find_id, look, must_see, page};
pub use persona::{Persona, PersonaItem, persona};
pub use versions::{restore, versions};
pub use write::{Made, create, delete, hide_all_of, plates_of, publish, set_avatar, unpublish, update};
