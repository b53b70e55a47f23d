//! Asks a running broker whether it may lose messages: what `doctor` runs for each broker in the configuration.
//!
//! It works with a client id and a topic of its own and removes both again; the gateway's session is not touched, so
//! it can run beside a working gateway. It publishes a bounded number of small messages to a session that is away,
//! comes back and counts them. What a restart of the broker would lose cannot be asked: `mosquitto_config` reads that.
//!
//! Start with `check`.

use super::client::{Client, Incoming, LinkError, Message, Outgoing, Promise, Session};
use super::finding::{Finding, Verdict};
use super::options::{Options, duration};
use super::tls;
use super::wire::{PacketLimit, packet_limit};
use crate::domain::time::Span;
use bytes::Bytes;
use rustls::ClientConfig;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::timeout;

/// How much a check may do.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Probe messages; more than Mosquitto keeps by default (1,000 and a window of 20).
    pub messages: usize,
    pub within: Span,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 1_100, within: Span::from_secs(60) }
    }
}

/// Probe messages published before waiting for the broker's answers.
const GROUP: usize = 100;
const VERSION_TOPIC: &str = "$SYS/broker/version";

/// Everything found out about the broker, good and bad. `random` tells this check's client from any other's.
pub async fn check(options: &Options, bounds: Bounds, random: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tls = match options.check().and_then(|()| tls::load(options)) {
        Ok(tls) => tls,
        Err(error) => {
            findings.push(Finding::bad(Verdict::Fault, "settings", error.to_string(), "mend the broker's settings"));
            return findings;
        }
    };
    let probe = Probe {
        options,
        tls,
        client_id: format!("{}-doctor-{random:016x}", options.client_id),
        topic: format!("rettidig/doctor/{random:016x}"),
        messages: bounds.messages.max(1),
    };
    match timeout(duration(bounds.within), probe.run(&mut findings)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => findings.push(Finding::bad(Verdict::Fault, "connection", error.to_string(), advice(&error))),
        Err(_) => findings.push(Finding::bad(
            Verdict::Unknown,
            "time",
            format!("the check did not finish within {}", bounds.within),
            "look at the broker's load, or allow more time",
        )),
    }
    // Whatever happened after the first contact, the probe's session shall not stay at the broker.
    let reached = findings.iter().any(|finding| finding.subject == "connection" && finding.verdict == Verdict::Good);
    if reached && probe.forget().await.is_err() {
        findings.push(Finding::bad(
            Verdict::Unknown,
            "probe session",
            format!("cannot remove the session of {:?} from the broker", probe.client_id),
            "remove it by hand if the broker keeps sessions for ever",
        ));
    }
    findings
}

struct Probe<'a> {
    options: &'a Options,
    tls: Option<Arc<ClientConfig>>,
    client_id: String,
    topic: String,
    messages: usize,
}

/// What a session that was away got when it came back.
struct Kept {
    messages: usize,
    /// How many came before the first acknowledgement.
    window: usize,
}

impl Probe<'_> {
    async fn run(&self, findings: &mut Vec<Finding>) -> Result<(), LinkError> {
        findings.extend(self.clear_text());
        let mut client = self.client(self.options, Session::Clean);
        client.connect().await?;
        findings.push(Finding::good("connection", "the broker accepts the gateway's login"));
        findings.push(version(&mut client).await?);
        findings.push(self.packet_size().await);
        findings.extend(self.permissions(&mut client).await?);
        client.send([Outgoing::Disconnect]).await?;
        findings.extend(self.strangers().await);

        let mut session = self.client(self.options, Session::Persistent);
        session.connect().await?;
        // Some brokers grant a subscription and then keep the messages back, so one is tried while we are there.
        let granted = grants(&mut session, vec![self.topic.clone()]).await?;
        self.publish(1).await?;
        if granted != [Some(1)] || self.collect(&mut session).await?.messages == 0 {
            let text = format!("cannot try it: messages on {:?} do not come through", self.topic);
            let remedy = "allow the gateway's login to read and write rettidig/doctor/#";
            findings.push(Finding::bad(Verdict::Unknown, "queue", text, remedy));
            return Ok(());
        }
        session.send([Outgoing::Disconnect]).await?;
        self.publish(self.messages).await?;
        if session.connect().await? {
            findings.push(Finding::good("session", "the broker keeps the gateway's session while it is away"));
        } else {
            findings.push(Finding::bad(
                Verdict::Fault,
                "session",
                "the broker forgets the gateway's session as soon as it is away, and all that waits in it",
                "allow persistent sessions (clean session 0) for the gateway's login",
            ));
        }
        let kept = self.collect(&mut session).await?;
        findings.extend(self.judge(&kept));
        session.send([Outgoing::Disconnect]).await
    }

    fn client(&self, options: &Options, session: Session) -> Client {
        let mut client = Client::new(options, &self.client_id, session);
        if let Some(tls) = &self.tls {
            client.use_tls(Arc::clone(tls));
        }
        client
    }

    fn clear_text(&self) -> Option<Finding> {
        let host = self.options.host.trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (self.tls.is_none() && !local).then(|| {
            Finding::bad(
                Verdict::Warning,
                "tls",
                format!("password and messages travel readable to {:?}", self.options.host),
                "set tls for this broker and use its TLS port (usually 8883)",
            )
        })
    }

    /// How long a message may be that a device can make the broker pass on.
    async fn packet_size(&self) -> Finding {
        let subject = "packet size";
        let asked = packet_limit(self.options, self.tls.as_ref(), format!("{}-size", self.client_id));
        let answered = timeout(duration(self.options.limits.answer_within), asked).await;
        let limit = answered.unwrap_or(Ok(PacketLimit::Unknown)).unwrap_or(PacketLimit::Unknown);
        let ours = self.options.limits.packet_bytes_max;
        let remedy = "mosquitto: max_packet_size 1048576";
        match limit {
            PacketLimit::Bytes(bytes) => {
                Finding::good(subject, format!("the broker takes packets of {bytes} bytes, the gateway reads {ours}"))
            }
            PacketLimit::None => Finding::bad(
                Verdict::Warning,
                subject,
                format!(
                    "the broker takes packets of any size; one of more than {ours} bytes is quarantined by its head, \
                     and everything behind it waits while it passes by"
                ),
                remedy,
            ),
            PacketLimit::Unknown => Finding::bad(
                Verdict::Unknown,
                subject,
                "the broker does not say how long a packet may be: it does not speak MQTT 5",
                "set the longest packet in the broker's configuration",
            ),
        }
    }

    /// The configured filters, tried in a session of the probe's own.
    async fn permissions(&self, client: &mut Client) -> Result<Vec<Finding>, LinkError> {
        let filters = &self.options.subscribe;
        if filters.is_empty() {
            return Ok(Vec::new());
        }
        let granted = grants(client, filters.clone()).await?;
        let short: Vec<_> = filters.iter().zip(granted).filter(|(_, granted)| *granted != Some(1)).collect();
        if short.is_empty() {
            return Ok(vec![Finding::good("permissions", "every configured topic is granted with QoS 1")]);
        }
        let fault = |(filter, granted): (&String, Option<u8>)| {
            let text = match granted {
                Some(qos) => format!("{filter:?} is granted with QoS {qos} only, which promises nothing"),
                None => format!("{filter:?} may not be read"),
            };
            Finding::bad(Verdict::Fault, "permissions", text, "allow the gateway's login to read it with QoS 1")
        };
        Ok(short.into_iter().map(fault).collect())
    }

    /// Whether the broker lets anybody in.
    async fn strangers(&self) -> Option<Finding> {
        self.options.credentials.as_ref()?;
        let anonymous = Options { credentials: None, ..self.options.clone() };
        match self.client(&anonymous, Session::Clean).connect().await {
            Ok(_) => Some(Finding::bad(
                Verdict::Fault,
                "anonymous access",
                "the broker lets anybody in, who can then send alarms and read them",
                "mosquitto: allow_anonymous false",
            )),
            Err(LinkError::Refused(_)) => {
                Some(Finding::good("anonymous access", "the broker refuses who has no password"))
            }
            Err(
                LinkError::Unreachable(_)
                | LinkError::Timeout
                | LinkError::Tls(_)
                | LinkError::Closed
                | LinkError::Protocol(_)
                | LinkError::Withheld,
            ) => None,
        }
    }

    /// Publishes probe messages; every one has been acknowledged by the broker when it returns.
    async fn publish(&self, messages: usize) -> Result<(), LinkError> {
        let mut sender = Client::new(self.options, &format!("{}-sender", self.client_id), Session::Clean);
        if let Some(tls) = &self.tls {
            sender.use_tls(Arc::clone(tls));
        }
        sender.connect().await?;
        let payload = Bytes::from_static(b"probe");
        let mut left = messages;
        while left > 0 {
            let group = left.min(GROUP);
            let publish = |packet| Outgoing::Publish { packet, topic: self.topic.clone(), payload: payload.clone() };
            sender.send((1..=group as u16).map(publish)).await?;
            let mut open = group;
            while open > 0 {
                open -= usize::from(matches!(sender.receive().await?, Incoming::TakenOver(_)));
            }
            left -= group;
        }
        sender.send([Outgoing::Disconnect]).await
    }

    /// Takes and acknowledges what waits. A ping is answered after everything that was sent before it, so a pong
    /// without any message since its ping says that nothing is left.
    async fn collect(&self, session: &mut Client) -> Result<Kept, LinkError> {
        let mut kept = Kept { messages: 0, window: 0 };
        loop {
            session.send([Outgoing::Ping]).await?;
            let mut packets = Vec::new();
            loop {
                match session.receive().await? {
                    Incoming::Message(Message { delivery: Promise::UntilAcknowledged(packet), .. }) => {
                        packets.push(packet);
                    }
                    Incoming::Pong => break,
                    Incoming::Message(_) | Incoming::TakenOver(_) | Incoming::Subscribed(_) => {}
                }
            }
            kept.messages += packets.len();
            kept.window = kept.window.max(packets.len());
            if packets.is_empty() {
                return Ok(kept);
            }
            session.send(packets.into_iter().map(Outgoing::Acknowledge)).await?;
        }
    }

    fn judge(&self, kept: &Kept) -> Vec<Finding> {
        let all = self.messages;
        let queue = if kept.messages >= all {
            Finding::good("queue", format!("all {all} messages for a gateway that was away were kept"))
        } else {
            Finding::bad(
                Verdict::Fault,
                "queue",
                format!(
                    "of {all} messages for a gateway that was away only {} were kept; the sender was told that all \
                     arrived",
                    kept.messages
                ),
                "mosquitto: max_queued_messages 0 and max_queued_bytes 0",
            )
        };
        let window = if kept.window >= kept.messages {
            Finding::good("window", "the broker does not wait for single acknowledgements")
        } else {
            Finding::bad(
                Verdict::Warning,
                "window",
                format!("the broker sends only {} messages before it wants an acknowledgement", kept.window),
                "mosquitto: max_inflight_messages 0",
            )
        };
        vec![queue, window]
    }

    /// A clean session of the same name replaces the persistent one.
    async fn forget(&self) -> Result<(), LinkError> {
        let mut client = self.client(self.options, Session::Clean);
        client.connect().await?;
        client.send([Outgoing::Disconnect]).await
    }
}

/// Subscribes and returns what was granted for each filter. Messages that come meanwhile are not acknowledged.
async fn grants(client: &mut Client, filters: Vec<String>) -> Result<Vec<Option<u8>>, LinkError> {
    client.send([Outgoing::Subscribe { packet: 1, filters }]).await?;
    loop {
        if let Incoming::Subscribed(granted) = client.receive().await? {
            return Ok(granted);
        }
    }
}

/// Retained messages come with the answer to the subscription, so one ping bounds the wait.
async fn version(client: &mut Client) -> Result<Finding, LinkError> {
    grants(client, vec![VERSION_TOPIC.to_owned()]).await?;
    client.send([Outgoing::Ping]).await?;
    loop {
        match client.receive().await? {
            Incoming::Message(message) if message.topic == VERSION_TOPIC => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                return Ok(Finding::good("version", text));
            }
            Incoming::Pong => {
                let text = "the broker does not say what it is";
                let remedy = "allow the gateway's login to read $SYS/#, if the broker has it";
                return Ok(Finding::bad(Verdict::Unknown, "version", text, remedy));
            }
            Incoming::Message(_) | Incoming::TakenOver(_) | Incoming::Subscribed(_) => {}
        }
    }
}

const fn advice(error: &LinkError) -> &'static str {
    match error {
        LinkError::Unreachable(_) => "check host and port, and that the broker runs and its firewall lets us in",
        LinkError::Timeout => "check host and port; a TLS port spoken to without TLS, or the reverse, is silent too",
        LinkError::Tls(_) => "check that the certificate names this host and is signed by the configured ca",
        LinkError::Refused(_) => "check username, password and client_id, and the broker's log",
        LinkError::Closed => "look into the broker's log; a missing client certificate or a taken client_id end so",
        LinkError::Protocol(_) | LinkError::Withheld => "check that this is an MQTT 3.1.1 broker",
    }
}
