//! CPU time of an authenticated `echo` call, as a multiple of a bare axum handler that answers the same bytes.
//!
//! `cargo bench --package server --bench echo`. Both servers are processes of their own, so that what the kernel
//! counts is the server and not the load; both get the same requests over the same number of kept-open
//! connections, in turns. The ratio is what means something: it compares within one run on one machine.

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// Kept-open connections; more than cores, so that the server always has work.
const CONNECTIONS: usize = 8;
/// Calls of one measurement: some seconds, and thousands of times the kernel's resolution of 10 ms in all.
const CALLS: usize = 40_000;
/// Measurements of each server, in turns; the first of each warms up and is not counted.
const ROUNDS: usize = 6;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    if std::env::args().any(|argument| argument == "--bare") {
        return runtime()?.block_on(bare::serve());
    }
    runtime()?.block_on(compare())
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

async fn compare() -> Outcome<()> {
    let gateway = Server::gateway()?;
    let bare = Server::bare()?;
    let mut ratios = Vec::new();
    println!("{CALLS} echo calls over {CONNECTIONS} connections; CPU time per call (user + system)");
    for round in 0..ROUNDS {
        let of_gateway = gateway.microseconds_per_call().await?;
        let of_bare = bare.microseconds_per_call().await?;
        let ratio = of_gateway / of_bare;
        let note = if round == 0 { " (warm-up)" } else { "" };
        println!("gateway {of_gateway:6.1} µs   bare axum {of_bare:6.1} µs   ratio {ratio:.2}{note}");
        if round > 0 {
            ratios.push(ratio);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("ratio: median {median:.2}, minimum {:.2}, maximum {:.2}", ratios[0], ratios[ratios.len() - 1]);
    Ok(())
}

/// One server process, and what to send to it. Ends with the value.
struct Server {
    process: Child,
    address: SocketAddr,
    token: String,
}

impl Server {
    /// The real server, as `--dev` starts it: token check, authorization, validation, log line for each call.
    fn gateway() -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-server"));
        command.args(["--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    fn bare() -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare");
        Self::start(command)
    }

    /// Both say where they listen and which token they take, as `--dev` does.
    fn start(mut command: Command) -> Outcome<Self> {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut value = |prefix: &str| -> Outcome<String> {
            for line in lines.by_ref() {
                if let Some(rest) = line?.strip_prefix(prefix) {
                    return Ok(rest.trim().to_owned());
                }
            }
            Err(format!("the server did not print {prefix:?}").into())
        };
        let url = value("MCP endpoint")?;
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp").parse()?;
        let token = value("Access token")?;
        Ok(Self { process, address, token })
    }

    async fn microseconds_per_call(&self) -> Outcome<f64> {
        let before = self.cpu_ticks()?;
        let mut connections = JoinSet::new();
        for connection in 0..CONNECTIONS {
            connections.spawn(call_repeatedly(self.address, self.token.clone(), connection));
        }
        while let Some(ended) = connections.join_next().await {
            ended??;
        }
        let ticks = f64::from(self.cpu_ticks()? - before);
        // Linux counts in hundredths of a second (`USER_HZ`) on every architecture that we build for.
        Ok(ticks * 10_000.0 / f64::from(u32::try_from(CALLS)?))
    }

    /// Fields 14 and 15 of /proc/PID/stat; the name, field 2, may hold spaces and ends with `)`.
    fn cpu_ticks(&self) -> Outcome<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no stat")?.split_whitespace().collect();
        Ok(fields[11].parse::<u32>()? + fields[12].parse::<u32>()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn call_repeatedly(address: SocketAddr, token: String, connection: usize) -> Outcome<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::with_capacity(4096);
    for call in 0..CALLS / CONNECTIONS {
        stream.write_all(&request(address, &token, connection * CALLS + call)).await?;
        read_answer(&mut stream, &mut answer).await?;
    }
    Ok(())
}

/// A `tools/call` of 2026-07-28 with an argument that no other call has.
fn request(address: SocketAddr, token: &str, number: usize) -> Vec<u8> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"call number {number:012}"}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n\
         Mcp-Name: echo\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads one whole answer and refuses all but 200: a fast error would flatter the server.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Outcome<()> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        let Some(head_length) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&answer[..head_length])?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("not served: {}", head.lines().next().unwrap_or_default()).into());
        }
        let body_length: usize = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::parse))
            .ok_or("no content-length")??;
        if answer.len() >= head_length + 4 + body_length {
            return Ok(());
        }
    }
}

/// The baseline: axum, one route, the body read, an answer of the same length as the gateway's.
mod bare {
    use axum::{Router, body::Bytes, http::header::CONTENT_TYPE, routing::post};

    use super::Outcome;

    /// What the gateway answers to one call, with values of the same length.
    const ANSWER: &str = include_str!("echo-answer.json");

    pub(super) async fn serve() -> Outcome<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("MCP endpoint  http://{}/mcp\nAccess token  none", listener.local_addr()?);
        let answer = |body: Bytes| async move {
            std::hint::black_box(body);
            ([(CONTENT_TYPE, "application/json")], ANSWER.trim_end())
        };
        Ok(axum::serve(listener, Router::new().route("/mcp", post(answer))).await?)
    }
}
