//! What `publicUrl` says: every route, the resource's name, and the URLs in challenges and metadata.
//!
//! Pure. Nothing here ever comes from a request's headers.

use crds::gateway_config::AuthConfig;
use url::Url;

const METADATA: &str = "/.well-known/oauth-protected-resource";

/// Where clients of 2025-03-26 look for the metadata of an authorization server: under the host of the endpoint.
const MIRROR: &str = "/.well-known/oauth-authorization-server";

/// The path of the public health answer; an endpoint may not stand on it.
const HEALTH_PATH: &str = "/health";

/// The endpoint as clients know it.
#[derive(Clone, Debug)]
pub struct EndpointUrl {
    resource: String,
    path: String,
    capabilities_path: String,
    metadata_path: String,
    metadata_url: String,
    host: String,
    origin: String,
    /// Whether the RFC 9728 document is served without the endpoint's path too.
    root_metadata: bool,
    /// Whether the issuer's own metadata is served.
    mirror: bool,
}

/// What answers at a path of the public listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// MCP.
    Endpoint,
    /// The capabilities document.
    Capabilities,
    /// The RFC 9728 document.
    Metadata,
    /// The same without the endpoint's path, by opt-in: for clients that look nowhere else.
    RootMetadata,
    /// The metadata of the issuer, by opt-in.
    IssuerMetadata,
    /// The public health answer.
    Health,
    /// Nothing.
    Unknown,
}

impl EndpointUrl {
    /// Reads `publicUrl`; the error says what a right one looks like.
    pub(super) fn parse(public_url: &str) -> Result<Self, String> {
        let url = Url::parse(public_url).map_err(|problem| format!("is no URL: {problem}"))?;
        let host = match (url.scheme(), url.host_str()) {
            ("http" | "https", Some(host)) => host.to_owned(),
            _ => return Err("must begin with `https://` or `http://` and a host".to_owned()),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must have no query and no fragment".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must have no user name and no password".to_owned());
        }
        if !is_plain(public_url) {
            return Err(PLAIN.to_owned());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path == HEALTH_PATH || path.starts_with("/.well-known") {
            return Err(format!("must have another path: `{path}` is taken"));
        }
        let origin = url.origin().ascii_serialization();
        let metadata_path = format!("{METADATA}{path}");
        Ok(Self {
            resource: public_url.to_owned(),
            capabilities_path: format!("{path}/capabilities"),
            metadata_url: format!("{origin}{metadata_path}"),
            metadata_path,
            path: if path.is_empty() { "/".to_owned() } else { path },
            host,
            origin,
            root_metadata: false,
            mirror: false,
        })
    }

    /// The same with the documents that `auth` opts in to.
    pub(super) fn serving(self, auth: &AuthConfig) -> Self {
        Self { root_metadata: auth.root_metadata, mirror: auth.issuer_metadata_mirror, ..self }
    }

    /// `publicUrl` byte for byte: the OAuth `resource`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The one path that takes MCP requests; `/` when `publicUrl` has no path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL of the RFC 9728 document, for challenges. Section 3.1 puts the well-known part before
    /// the path.
    pub fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    /// Lower case, without a port; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `scheme://host[:port]`: the origin of pages that the endpoint itself would serve.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What answers at `path`. Exact, byte for byte: `//mcp`, `/MCP` and `/mcp/` are other paths.
    pub fn route(&self, path: &str) -> Route {
        match path {
            HEALTH_PATH => Route::Health,
            path if path == self.path => Route::Endpoint,
            path if path == self.capabilities_path => Route::Capabilities,
            path if path == self.metadata_path => Route::Metadata,
            METADATA if self.root_metadata => Route::RootMetadata,
            MIRROR if self.mirror => Route::IssuerMetadata,
            _ => Route::Unknown,
        }
    }

    /// The path of a route; `None` for [`Route::Unknown`].
    pub fn path_of(&self, route: Route) -> Option<&str> {
        match route {
            Route::Endpoint => Some(&self.path),
            Route::Capabilities => Some(&self.capabilities_path),
            Route::Metadata => Some(&self.metadata_path),
            Route::RootMetadata => Some(METADATA),
            Route::IssuerMetadata => Some(MIRROR),
            Route::Health => Some(HEALTH_PATH),
            Route::Unknown => None,
        }
    }
}

/// What a URL must look like that is compared, routed and answered byte for byte.
const PLAIN: &str = "must be scheme://host[:port][/path] in plain letters, for example https://mcp.example.com/mcp: \
                     lower-case host, no trailing slash, no empty, `.` or `..` segment, and no character in the path \
                     but letters, digits, `.`, `_`, `~`, `-`";

/// Whether no parser could read the URL otherwise than it is written: what [`Url::parse`] would repair is not
/// what clients send, and the resource of their tokens. The rule of the custom resource, and a root slash.
fn is_plain(public_url: &str) -> bool {
    let Some((scheme, rest)) = public_url.split_once("://") else { return false };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let in_authority = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    let in_segment = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    let is_step = |text: &str| !matches!(text, "" | "." | "..") && text.bytes().all(in_segment);
    matches!(scheme, "http" | "https")
        && authority.bytes().all(in_authority)
        && (path == "/" || path.split('/').skip(1).all(is_step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_url_follows_from_the_public_url() {
        let endpoint = EndpointUrl::parse("https://mcp.example.com:8443/team/mcp").unwrap();
        assert_eq!(endpoint.resource(), "https://mcp.example.com:8443/team/mcp");
        assert_eq!(endpoint.path(), "/team/mcp");
        assert_eq!(endpoint.host(), "mcp.example.com");
        assert_eq!(endpoint.capabilities_path, "/team/mcp/capabilities");
        assert_eq!(
            endpoint.metadata_url(),
            "https://mcp.example.com:8443/.well-known/oauth-protected-resource/team/mcp"
        );
    }

    #[test]
    fn the_root_form_of_the_metadata_exists_only_without_a_path() {
        for public_url in ["https://mcp.example.com", "https://mcp.example.com/"] {
            let endpoint = EndpointUrl::parse(public_url).unwrap();
            assert_eq!(endpoint.path(), "/");
            assert_eq!(endpoint.capabilities_path, "/capabilities");
            assert_eq!(endpoint.metadata_path, "/.well-known/oauth-protected-resource");
        }
    }

    #[test]
    fn documents_for_older_clients_are_served_by_opt_in_and_at_the_root_alone() {
        let routes = |root_metadata, issuer_metadata_mirror| {
            let auth = AuthConfig { root_metadata, issuer_metadata_mirror, ..AuthConfig::open() };
            let endpoint = EndpointUrl::parse("https://mcp.example.com/mcp").unwrap().serving(&auth);
            assert_eq!(endpoint.route(&format!("{MIRROR}/mcp")), Route::Unknown);
            assert_eq!(endpoint.route(&format!("{METADATA}/mcp")), Route::Metadata);
            let routes = [METADATA, MIRROR].map(|path| endpoint.route(path));
            for (route, path) in routes.into_iter().zip([METADATA, MIRROR]) {
                assert_eq!(endpoint.path_of(route), (route != Route::Unknown).then_some(path));
            }
            routes
        };
        assert_eq!(routes(false, false), [Route::Unknown, Route::Unknown]);
        assert_eq!(routes(true, false), [Route::RootMetadata, Route::Unknown]);
        assert_eq!(routes(false, true), [Route::Unknown, Route::IssuerMetadata]);
        // Where the endpoint has no path, the root form is the only one.
        let auth = AuthConfig { root_metadata: true, ..AuthConfig::open() };
        let endpoint = EndpointUrl::parse("https://mcp.example.com").unwrap().serving(&auth);
        assert_eq!(endpoint.route(METADATA), Route::Metadata);
    }

    #[test]
    fn only_what_every_parser_reads_alike_is_accepted() {
        for right in ["https://a.example:443/mcp", "http://127.0.0.1:8080/mcp", "http://[::1]:1/a/B._~-"] {
            assert!(EndpointUrl::parse(right).is_ok(), "{right} was refused");
        }
        for wrong in [
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com//",
            "https://mcp.example.com//mcp",
            "https://mcp.example.com/a/../mcp",
            "https://mcp.example.com/./mcp",
            "https://mcp.example.com/..",
            "https://mcp.example.com/a b",
            " https://mcp.example.com/mcp",
            "https://mcp.example.com/mcp\n",
            "https://mcp.example.com/m%63p",
            "https://mcp.example.com\\mcp",
            "https:mcp.example.com/mcp",
            "https://MCP.example.com/mcp",
            "HTTPS://mcp.example.com/mcp",
        ] {
            let problem = EndpointUrl::parse(wrong).err();
            assert!(problem.is_some_and(|problem| problem.contains("https://")), "{wrong} was accepted");
        }
    }

    #[test]
    fn a_url_that_cannot_be_an_endpoint_is_refused() {
        for wrong in [
            "mcp.example.com/mcp",
            "ftp://mcp.example.com/mcp",
            "https://mcp.example.com/mcp?x=1",
            "https://mcp.example.com/mcp#top",
            "https://user:word@mcp.example.com/mcp",
            "https://mcp.example.com/health",
            "https://mcp.example.com/.well-known/mcp",
        ] {
            assert!(EndpointUrl::parse(wrong).is_err(), "{wrong} was accepted");
        }
    }
}
