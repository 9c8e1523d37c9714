//! The command line.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand};
use livetape_catalog::TokenScope;
use tokio_util::sync::CancellationToken;

use crate::config::{
    self, Config, ConfigError, Flag, ListenAddress, Loaded, LogSettings, PushAuthorization, Secret, Sources,
};
use crate::{demo, fsck, healthcheck, online, receive, serve, signals, token};

/// The exit code for a command line or a configuration that is wrong.
const EXIT_USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(name = "livetape", version, about = "Records live streams: RTMP in; MP4, HLS and FLV recordings out.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the recorder.
    Serve(ServeArgs),
    /// Check a configuration file; errors point at the line. Exit code 0: all is well; 1: something that is configured
    /// does not work (--online); 2: the configuration is wrong.
    Check(CheckArgs),
    /// Run the recorder, push a bundled sample to it, and show what happens.
    Demo(DemoArgs),
    /// Receive webhooks, verify their signatures and print them.
    Receive(ReceiveArgs),
    /// Check a data directory and its store: exit code 0 when all is well, 1 when something is not as it should be,
    /// 2 when it cannot look.
    Fsck(FsckArgs),
    /// Make, list and revoke tokens of the API, also while a recorder runs. Run it as the user that the recorder runs as.
    Token(TokenArgs),
    /// Ask a running recorder whether it is healthy; for containers.
    Healthcheck(ServeArgs),
}

#[derive(Debug, Args)]
struct TokenArgs {
    #[command(subcommand)]
    wish: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token and print it. It is shown this once.
    Create {
        /// What it is called in lists and in the log.
        #[arg(long)]
        name: String,
        /// What it opens: read (what changes nothing) or write (everything).
        #[arg(long, value_parser = TokenScope::from_str)]
        scope: TokenScope,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List the tokens: name, scope, when it was made.
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Take a token away.
    Revoke {
        /// What it is called.
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// Which data directory.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// The configuration file (TOML). Without one, the defaults and the environment hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory (node.data).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
struct ServeArgs {
    /// The configuration file (TOML). Without one, the defaults and the environment hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory (node.data).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where encoders push to (rtmp.listen), such as 127.0.0.1:1935 or :1935.
    #[arg(long, value_name = "ADDR")]
    rtmp: Option<String>,
    /// Where the API listens (http.listen), such as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
}

#[derive(Debug, Args)]
struct FsckArgs {
    /// The configuration file (TOML). Without one, the defaults and the environment hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory (node.data).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Make a whole index in place of a damaged or lost one, and give every recording in the spool that has no row
    /// one. Only while no recorder runs. The damaged one is kept.
    #[arg(long)]
    rebuild: bool,
    /// Read what is in the recordings as well; takes as long as reading all their fragments.
    #[arg(long)]
    deep: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The configuration file.
    file: PathBuf,
    /// Also print the settings in force, secrets masked.
    #[arg(long)]
    print: bool,
    /// Also try what is configured: write to the data directory and the store, and remove it again; resolve the names
    /// of the webhooks' hosts. Run it as the user that the recorder runs as.
    #[arg(long)]
    online: bool,
}

#[derive(Debug, Args)]
struct DemoArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Stop after the sample instead of serving on.
    #[arg(long)]
    exit: bool,
}

#[derive(Debug, Args)]
struct ReceiveArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: String,
    /// The webhook's secret (whsec_...). Better in the variable LIVETAPE_WEBHOOK_SECRET or in a file.
    #[arg(long, conflicts_with = "secret_file")]
    secret: Option<String>,
    /// A file that holds the secret.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Print bodies as they came, one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs what the command line asks for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Printing can only fail when nobody listens.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        None => {
            let _ = Cli::command().print_help();
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Serve(args)) => args.load().and_then(|loaded| run_serve(loaded, args.reader(), None)),
        Some(Command::Check(args)) => check(&args),
        Some(Command::Demo(args)) => run_demo(args),
        Some(Command::Receive(args)) => run_receive(&args),
        Some(Command::Fsck(args)) => return run_fsck(args),
        Some(Command::Token(args)) => run_token(args.wish),
        Some(Command::Healthcheck(args)) => args.load().and_then(|loaded| run_healthcheck(&loaded.config)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        let wrong_configuration = error.downcast_ref::<ConfigError>().is_some();
        ExitCode::from(if wrong_configuration { EXIT_USAGE } else { 1 })
    })
}

impl ServeArgs {
    fn flags(&self) -> Result<Vec<Flag>, anyhow::Error> {
        let mut flags = Vec::new();
        if let Some(data) = &self.data {
            let value = data.to_str().ok_or_else(|| anyhow::anyhow!("--data: the path is not UTF-8"))?.to_owned();
            flags.push(Flag { flag: "--data", setting: "node.data", value });
        }
        if let Some(value) = &self.rtmp {
            flags.push(Flag { flag: "--rtmp", setting: "rtmp.listen", value: value.clone() });
        }
        if let Some(value) = &self.http {
            flags.push(Flag { flag: "--http", setting: "http.listen", value: value.clone() });
        }
        Ok(flags)
    }

    /// Reads the configuration again, as often as it is asked to.
    fn reader(&self) -> serve::Reader {
        let args = self.clone();
        Arc::new(move || args.load())
    }

    fn load(&self) -> Result<Loaded, anyhow::Error> {
        Ok(config::load(&Sources { file: self.config.clone(), environment: environment(), flags: self.flags()? })?)
    }
}

fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Threads for calls that wait for the disk, beside those of HTTP requests.
const SPARE_BLOCKING_THREADS: usize = 512;

fn runtime() -> Result<tokio::runtime::Runtime, anyhow::Error> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// A runtime to serve with.
fn serving_runtime(config: &Config) -> Result<tokio::runtime::Runtime, anyhow::Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().max_blocking_threads(blocking_threads(config)).build()?)
}

/// One thread for each HTTP request beside the others: requests that a disk lets hang stand in nobody's way. A thread
/// exists only while it is needed.
fn blocking_threads(config: &Config) -> usize {
    usize::try_from(config.http.max_connections).unwrap_or(usize::MAX).saturating_add(SPARE_BLOCKING_THREADS)
}

fn run_serve(loaded: Loaded, reader: serve::Reader, demo: Option<demo::Demo>) -> Result<ExitCode, anyhow::Error> {
    crate::log::init(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {}", warning.to_string().lines().next().unwrap_or_default());
    }
    let runtime = serving_runtime(&loaded.config)?;
    runtime.block_on(serve::run(loaded.config, reader, demo))?;
    // A blocking call that hangs on a dead disk must not keep a stopped process alive.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn run_demo(args: DemoArgs) -> Result<ExitCode, anyhow::Error> {
    let mut loaded = args.serve.load()?;
    let authorization = loaded.config.push.authorization;
    if authorization != PushAuthorization::Open {
        let name = authorization.name();
        anyhow::bail!(
            "push.authorization is \"{name}\", and the demonstration pushes without; run it without that setting"
        );
    }
    let free = |setting: &mut ListenAddress, given: bool| {
        let fallback = (!given && !demo::is_free(*setting)).then_some(*setting);
        if fallback.is_some() {
            *setting = setting.with_port(0);
        }
        fallback
    };
    for taken in [
        free(&mut loaded.config.rtmp.listen, args.serve.rtmp.is_some()),
        free(&mut loaded.config.http.listen, args.serve.http.is_some()),
    ]
    .into_iter()
    .flatten()
    {
        println!("{taken} is taken by another program; using a free port instead.");
    }
    // What happens is shown anyway.
    if loaded.config.log == LogSettings::default() {
        loaded.config.log.level = "warn".to_owned();
    }
    run_serve(loaded, args.serve.reader(), Some(demo::Demo { exit_when_done: args.exit }))
}

fn check(args: &CheckArgs) -> Result<ExitCode, anyhow::Error> {
    let sources = Sources { file: Some(args.file.clone()), environment: environment(), flags: Vec::new() };
    let loaded = config::load(&sources)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    let http = &loaded.config.http;
    if !http.listen.is_loopback() && http.tokens.is_empty() {
        eprintln!(
            "note: http.listen: {} can be reached from other machines, so the service starts only when `livetape token \
             create` has made a token",
            http.listen
        );
    }
    if args.print {
        print!("{}", loaded.config.to_masked_toml());
    } else {
        println!("{} is valid", args.file.display());
    }
    if !args.online {
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = runtime()?;
    let well = runtime.block_on(online::check(&loaded.config, &mut std::io::stdout()))?;
    // A call that hangs on a dead disk must not keep the program.
    runtime.shutdown_background();
    Ok(ExitCode::from(if well { 0 } else { 1 }))
}

fn run_fsck(args: FsckArgs) -> ExitCode {
    let FsckArgs { config, data, rebuild, deep, json } = args;
    let run = || {
        let loaded = ServeArgs { config, data, rtmp: None, http: None }.load()?;
        let log = LogSettings { level: "warn".to_owned(), ..loaded.config.log.clone() };
        crate::log::init(&log);
        runtime()?.block_on(fsck::run(&loaded.config, fsck::Wish { deep, json, rebuild }))
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let error: anyhow::Error = error;
            eprintln!("error: {error:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run_token(command: TokenCommand) -> Result<ExitCode, anyhow::Error> {
    let (wish, place) = match command {
        TokenCommand::Create { name, scope, place } => (token::Wish::Create { name, scope }, place),
        TokenCommand::List { place } => (token::Wish::List, place),
        TokenCommand::Revoke { name, place } => (token::Wish::Revoke { name }, place),
    };
    let loaded = ServeArgs { config: place.config, data: place.data, rtmp: None, http: None }.load()?;
    let data = &loaded.config.node.data;
    token::run(data, &wish, &mut std::io::stdout(), &mut std::io::stderr())?;
    Ok(ExitCode::SUCCESS)
}

fn run_receive(args: &ReceiveArgs) -> Result<ExitCode, anyhow::Error> {
    let secret = match (&args.secret, &args.secret_file) {
        (Some(secret), _) => Secret::new(secret),
        (None, Some(path)) => Secret::new(&read_to_string(path)?),
        (None, None) => match std::env::var("LIVETAPE_WEBHOOK_SECRET") {
            Ok(secret) => Secret::new(&secret),
            Err(_) => anyhow::bail!("name the secret: --secret-file FILE, or the variable LIVETAPE_WEBHOOK_SECRET"),
        },
    };
    let address: ListenAddress = args.listen.parse()?;
    runtime()?.block_on(async {
        let listener = serve::listen(address)?;
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let signals = tokio::spawn(async move {
            signals::Signals::install()?.next().await;
            stop.cancel();
            Ok::<(), std::io::Error>(())
        });
        receive::run(listener, &secret, args.json, shutdown).await?;
        signals.abort();
        Ok(ExitCode::SUCCESS)
    })
}

fn read_to_string(path: &Path) -> Result<String, anyhow::Error> {
    std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("cannot read {}: {error}", path.display()))
}

fn run_healthcheck(config: &Config) -> Result<ExitCode, anyhow::Error> {
    let candidates = config.http.listen.candidates();
    let Some(mut address) = candidates.last().copied() else { anyhow::bail!("no address to ask") };
    if address.ip().is_unspecified() {
        let loopback: IpAddr =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address = SocketAddr::new(loopback, address.port());
    }
    let answer = healthcheck::ask(address)?;
    println!("{answer}");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_wrong_is_a_usage_error() {
        let code = |arguments: &[&str]| format!("{:?}", run(arguments.iter().map(OsString::from)));
        let usage = format!("{:?}", ExitCode::from(EXIT_USAGE));
        assert_eq!(code(&["livetape", "record"]), usage);
        assert_eq!(code(&["livetape", "check", "/nonexistent.toml"]), usage);
        assert_eq!(code(&["livetape", "serve", "--http", "nowhere"]), usage);
        assert_eq!(code(&["livetape", "--version"]), format!("{:?}", ExitCode::SUCCESS));
    }

    #[test]
    fn flags_become_settings() {
        let cli =
            Cli::try_parse_from(["livetape", "serve", "--data", "d", "--rtmp", "127.0.0.1:1", "--http", "127.0.0.1:2"]);
        let Some(Command::Serve(args)) = cli.unwrap().command else { panic!("another command") };
        let config = args.load().unwrap().config;
        assert_eq!(config.node.data, Path::new("d"));
        assert_eq!(config.rtmp.listen.to_string(), "127.0.0.1:1");
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:2");
    }
}
