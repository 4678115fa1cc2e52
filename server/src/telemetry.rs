//! Logs and traces: set up once, flushed at the end.
//!
//! Logs are JSON lines (see [`logs`]); traces leave by OTLP over HTTP when the configuration names a
//! collector. Neither ever holds a token, an argument or a result, and losing them fails no request.

pub mod logs;
mod otlp_client;
pub mod panic_hook;
mod spans;

use std::{sync::Arc, time::Duration};

use crds::gateway_config::McpServerRef;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, TracerProviderBuilder},
};

use crate::{
    config::Config,
    net::{self, AddressPolicy, Schemes},
    tools::TelemetryHealth,
};
use otlp_client::{ExportState, OtlpClient};
pub(crate) use spans::method_label;
pub use spans::{HttpSpan, McpSpan, SpanIds};

/// Spans that wait for export. Chosen: a minute of 100 requests a second; more are dropped, not kept.
const MAX_QUEUED_SPANS: usize = 8192;

/// How long spans wait for company. Chosen: a person who looks for a trace has it at once.
const EXPORT_INTERVAL: Duration = Duration::from_secs(2);

/// How long an export may take, retries included.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes spans, and knows how their export goes. A cheap handle.
#[derive(Clone)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// `None` when no collector is configured.
    export: Option<Arc<ExportState>>,
}

/// Why traces cannot be exported. The process does not start: half-blind is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The collector's URL is not one that may be called.
    #[error("`observability.otlpEndpoint` cannot be used")]
    Endpoint(#[source] net::UrlError),
    /// The HTTP client cannot be built.
    #[error("no HTTP client for `observability.otlpEndpoint`")]
    Client(#[source] net::ClientError),
    /// The exporter cannot be built.
    #[error("the exporter for `observability.otlpEndpoint` cannot be built")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
}

impl Telemetry {
    /// Spans as the configuration wants them. Must be called inside a Tokio runtime.
    pub fn new(config: &Config, addresses: AddressPolicy) -> Result<Self, TelemetryError> {
        let provider = SdkTracerProvider::builder().with_resource(resource(config));
        let Some(endpoint) = &config.gateway.observability.otlp_endpoint else {
            return Ok(Self::without_export(provider));
        };
        let traces_url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        net::permitted_url(&traces_url, addresses, Schemes::HttpAndHttps).map_err(TelemetryError::Endpoint)?;
        let client = net::client_with_timeout(addresses, Schemes::HttpAndHttps, None, EXPORT_TIMEOUT)
            .map_err(TelemetryError::Client)?;
        let state = Arc::new(ExportState::default());
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OtlpClient::new(client, Arc::clone(&state)))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces_url)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(TelemetryError::Exporter)?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_QUEUED_SPANS)
            .with_scheduled_delay(EXPORT_INTERVAL)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        Ok(Self::of(provider.with_span_processor(processor).with_sampler(sampler), Some(state)))
    }

    /// Spans that have ids, for logs, and are recorded nowhere.
    fn without_export(provider: TracerProviderBuilder) -> Self {
        Self::of(provider.with_sampler(Sampler::AlwaysOff), None)
    }

    fn of(provider: TracerProviderBuilder, export: Option<Arc<ExportState>>) -> Self {
        let provider = provider.build();
        let tracer = provider.tracer("mcp-server");
        Self { provider, tracer, export }
    }

    /// How the export goes; `None` when no collector is configured.
    pub fn health(&self) -> Option<TelemetryHealth> {
        self.export.as_ref().map(|state| state.health())
    }

    /// Sends what is queued, for at most `deadline`, and ends the exporter.
    pub async fn shutdown(&self, deadline: Duration) {
        let provider = self.provider.clone();
        let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(deadline));
        match tokio::time::timeout(deadline, flush).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(problem))) => tracing::warn!("the last spans were not exported: {problem}"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last spans were not exported in time"),
        }
    }
}

fn resource(config: &Config) -> Resource {
    let McpServerRef { name, namespace } = config.gateway.mcp_server.clone();
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", name),
            KeyValue::new("service.namespace", namespace),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build()
}
