//! A Redis that says what a real one never says at will: a function from the words of a command to the bytes of a reply.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What to do about a command.
pub(super) enum Reply {
    /// Say this.
    Say(String),
    /// Say nothing, and read on.
    Nothing,
    /// End the connection.
    HangUp,
}

type Answer = Arc<dyn Fn(&[String]) -> Reply + Send + Sync>;

/// A listening fake; it ends when this is dropped.
pub(super) struct FakeRedis {
    address: SocketAddr,
    /// Every command, in the order in which they came, its words joined by spaces.
    commands: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl FakeRedis {
    /// `answer` is asked first; `None` is left to [`usual`].
    pub(super) async fn start(answer: impl Fn(&[String]) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (commands, stop, tasks) =
            (Arc::<Mutex<Vec<String>>>::default(), CancellationToken::new(), TaskTracker::new());
        let answer: Answer = Arc::new(move |words| answer(words).unwrap_or_else(|| usual(words)));
        let (record, stopped, connections) = (Arc::clone(&commands), stop.clone(), tasks.clone());
        tasks.spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (answer, record, stopped) = (Arc::clone(&answer), Arc::clone(&record), stopped.clone());
                connections.spawn(async move { stopped.run_until_cancelled(serve(stream, &answer, &record)).await });
            }
        });
        Self { address, commands, _stop: stop.drop_guard() }
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many commands have begun with `words`.
    pub(super) fn heard(&self, words: &str) -> usize {
        self.commands.lock().unwrap().iter().filter(|command| command.starts_with(words)).count()
    }
}

/// Enough for a store to become ready.
fn usual(words: &[String]) -> Reply {
    let reply = match words[0].as_str() {
        "HELLO" => "%1\r\n+proto\r\n:3\r\n",
        "SET" | "MULTI" => "+OK\r\n",
        "XADD" | "PEXPIRE" => "+QUEUED\r\n",
        "EXEC" => "*2\r\n$3\r\n1-1\r\n:1\r\n",
        "XRANGE" => "*0\r\n",
        "SUBSCRIBE" => return Reply::Say(format!(">3\r\n+subscribe\r\n+{}\r\n:1\r\n", words[1])),
        "PING" => "+PONG\r\n",
        _ => "_\r\n",
    };
    Reply::Say(reply.to_owned())
}

async fn serve(stream: TcpStream, answer: &Answer, record: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let words = read_command(&mut stream).await?;
        record.lock().unwrap().push(words.join(" "));
        match answer(&words) {
            Reply::Say(reply) => stream.write_all(reply.as_bytes()).await?,
            Reply::Nothing => {}
            Reply::HangUp => return Ok(()),
        }
    }
}

async fn read_command(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<String>> {
    let count = read_number(stream).await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = read_number(stream).await?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).await?;
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    Ok(words)
}

/// Of a line such as `*3` or `$5`.
async fn read_number(stream: &mut BufReader<TcpStream>) -> std::io::Result<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let number = line.get(1..).and_then(|number| number.trim_end().parse().ok());
    number.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}
