//! Outgoing HTTP to addresses that a configuration names: issuers now, collectors and upstreams later.
//!
//! [`AddressPolicy`] decides which addresses exist for us at all; [`client`] builds the one kind of
//! HTTP client that this process uses, which asks the policy about the address that it really connects to;
//! [`read_bounded`] reads a body without ever holding more than its bound. Nothing here follows a
//! redirect, takes a proxy from the environment, or waits for ever.

mod address;
mod body;
mod client;
mod fault;
mod resolver;
mod url;

pub use address::{AddressClass, AddressPolicy};
pub use body::{BodyError, read_bounded};
pub use client::{ClientError, Schemes, TIMEOUT, client, client_with_timeout, streaming_client};
pub use fault::RequestFault;
pub use resolver::AddressRefused;
pub use url::{UrlError, permitted_url};
