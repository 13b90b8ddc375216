//! Golden pictures of configurations.
