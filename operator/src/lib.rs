//! `McpServer` in, Kubernetes objects out.

pub mod desired;
pub mod observed;
pub mod route;
pub mod status;
pub mod validate;
