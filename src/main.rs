//! The command line. Everything it does lives in the library.

use clap::{Args, Parser, Subcommand};
use rettidig::app::Source;
use rettidig::app::commands::{self, Outcome};
use std::path::PathBuf;
use std::process::ExitCode;

/// A message's memory is taken by the thread that reads it and given back by the one that acknowledges it.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Just-in-time welfare event gateway: sensor events in, the right crew in good time, proof that it helped.
#[derive(Parser)]
#[command(name = "rettidig", version, max_term_width = 100, after_help = commands::EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Place {
    /// The configuration folder
    #[arg(long, global = true, env = "RETTIDIG_CONFIG", default_value = "config")]
    config: PathBuf,
    /// The data folder, in place of the one in the settings
    #[arg(long, global = true, env = "RETTIDIG_DATA")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Write the shipped configuration into a folder; files that are there are left alone
    Init {
        /// The folder, if not that of --config
        folder: Option<PathBuf>,
    },
    /// Check a configuration folder; report every fault at once
    Check {
        /// The folder, if not that of --config
        folder: Option<PathBuf>,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Play the scenarios beside the rules: what happens, and what is expected of the rules
    Test(commands::test::TestArguments),
    /// Two rule sets over the same data: alarms and tasks of each, and the difference
    Backtest(commands::backtest::BacktestArguments),
    /// Why a rule fired for an asset, or did not: what it said at a moment of the past
    Explain(commands::explain::ExplainArguments),
    /// The journal, decided again
    Replay(commands::replay::ReplayArguments),
    /// Run the gateway
    Run,
    /// How the running gateway is, and where it listens
    Status {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Read rules and sensor types again, without a restart
    Reload {
        /// Who asks: where changed rules need a second person, the account that proposes them. Its password is asked for, or
        /// read from the first line of standard input
        #[arg(long = "as", value_name = "ACCOUNT")]
        account: Option<String>,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// The rules in force, those before them and those that wait; back one step, approve, reject
    Rules(commands::rules::RulesArguments),
    /// Certificates of the endpoint
    Tls {
        #[command(subcommand)]
        command: commands::status::Tls,
    },
    /// Lists of assets, devices, crews and people
    Registry {
        #[command(subcommand)]
        command: commands::registry::Registry,
    },
    /// MQTT logins of sensors, network servers, crews and services
    Client {
        #[command(subcommand)]
        command: commands::logins::Client,
    },
    /// People, logins and keys
    Vault {
        #[command(subcommand)]
        command: commands::vault::Vault,
    },
    /// Accounts of people who sign in to the console
    User {
        #[command(subcommand)]
        command: commands::logins::User,
    },
    /// Alarms that are not settled
    Alarm {
        #[command(subcommand)]
        command: commands::alarms::Alarm,
    },
    /// Open tasks
    Task {
        #[command(subcommand)]
        command: commands::alarms::Task,
    },
    /// Messages that could not be used, with reason and first bytes
    Quarantine(commands::quarantine::Quarantine),
    /// The durable log of everything that happened
    Journal {
        #[command(subcommand)]
        command: commands::journal::Journal,
    },
    /// History: how it is, and whether it is what the journal says
    Store {
        #[command(subcommand)]
        command: commands::store::StoreCommand,
    },
    /// Is this machine fit to run the gateway, and what is to be mended
    Doctor(commands::doctor::DoctorArguments),
    /// A JSON Schema for editors
    Schema { kind: commands::schema::Schema },
    /// Run a simulated municipality against a gateway of its own; --config and --data play no part
    Demo(commands::simulated::DemoArguments),
    /// The simulated municipality: play recorded series
    Twin {
        #[command(subcommand)]
        command: Twin,
    },
}

#[derive(Subcommand)]
enum Twin {
    /// Play recorded series (CSV: time, value; one file per container) through real MQTT in the data's own time, against
    /// a gateway of its own; --config and --data play no part
    Play(commands::simulated::PlayArguments),
}

fn main() -> ExitCode {
    let Cli { place, command } = Cli::parse();
    let source = Source { folder: place.config, data: place.data };
    let outcome = match command {
        Command::Init { folder } => commands::init::init(&folder.unwrap_or(source.folder)),
        Command::Check { folder, json } => commands::check::check(&folder.unwrap_or(source.folder), json),
        Command::Test(arguments) => commands::test::test(&source.folder, &arguments),
        Command::Backtest(arguments) => commands::backtest::backtest(&source, &arguments),
        Command::Explain(arguments) => commands::explain::explain(&source, &arguments),
        Command::Replay(arguments) => commands::replay::replay(&source, &arguments),
        Command::Run => commands::run::run(source),
        Command::Status { json } => commands::status::status(&source, json),
        Command::Reload { account, json } => commands::status::reload(&source, account, json),
        Command::Rules(arguments) => commands::rules::rules(&source, arguments),
        Command::Tls { command } => commands::status::tls(&source, &command),
        Command::Registry { command } => commands::registry::registry(&source, command),
        Command::Client { command } => commands::logins::client(&source, command),
        Command::Vault { command } => commands::vault::vault(&source, command),
        Command::User { command } => commands::logins::user(&source, command),
        Command::Alarm { command } => commands::alarms::alarm(&source, &command),
        Command::Task { command } => commands::alarms::task(&source, &command),
        Command::Quarantine(arguments) => commands::quarantine::quarantine(&source, &arguments),
        Command::Journal { command } => commands::journal::journal(&source, &command),
        Command::Store { command } => commands::store::store(&source, &command),
        Command::Doctor(arguments) => commands::doctor::doctor(&source, &arguments),
        Command::Schema { kind } => commands::schema::schema(kind),
        Command::Demo(arguments) => commands::simulated::demo(&arguments),
        Command::Twin { command: Twin::Play(arguments) } => commands::simulated::play(&arguments),
    };
    Outcome::report(outcome)
}
