//! Who may speak: authority, identity, tokens, unlock keys.
