//! The tongue between nodes: SwarmKit's protobuf and gRPC.
