//! The kernel's network: bridges, NAT, published ports, names.
