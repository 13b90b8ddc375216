//! The tongue with users: the Docker Engine API's JSON.
