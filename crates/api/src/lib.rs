//! The tongue with users: the Docker Engine API's JSON.

pub mod template;
