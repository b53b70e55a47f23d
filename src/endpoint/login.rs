//! From an accepted socket to a served client: TLS, CONNECT, login, session, CONNACK.
//!
//! Everything here happens within one time limit and holds one of few permits, so that strangers can neither wait nor
//! crowd clients out. Nobody is served anonymously. Start with [`serve`].

use super::acknowledge::{Line, Owed};
use super::certificate::common_name;
use super::connection::Connection;
use super::context::Context;
use super::express::Plain;
use super::frames::{self, Frame};
use super::greeting::{Greeting, Refusal, Unserved};
use super::pace::Pace;
use super::ports::{Denied, Grant, Login};
use super::presence::Presence;
use super::protocol::{Protocol, Welcome};
use super::session::Capacity;
use super::sessions::{Arrival, Full, Seat};
use crate::telemetry::endpoint::TurnedAway;
use bytes::BytesMut;
use smol_str::SmolStr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// A CONNECT holds ids, a secret and perhaps a will: nothing long.
const CONNECT_BYTES_MAX: usize = 16 * 1024;
/// How long a refused client has for taking its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Why a connection is not served, and what to answer.
struct Refused {
    why: TurnedAway,
    answer: Vec<u8>,
}

/// One accepted socket.
pub(super) struct Caller {
    pub peer: SocketAddr,
    pub over_tls: bool,
    /// The socket itself, where it is plain.
    pub plain: Option<Arc<TcpStream>>,
    /// Held until login.
    pub _greeting: OwnedSemaphorePermit,
}

/// Serves one socket from its first byte to its last.
pub(super) async fn serve(socket: TcpStream, mut caller: Caller, context: Arc<Context>) {
    let deadline = Instant::now() + context.limits.connect_within;
    // Acknowledgements are small and somebody waits for each: never hold one back for the next.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    if !caller.over_tls {
        let (stream, socket) = Plain::new(socket);
        caller.plain = Some(socket);
        return converse(stream, caller, None, deadline, context).await;
    }
    let Some(acceptor) = context.tls.as_ref().map(super::tls::Tls::acceptor) else { return };
    let handshake = tokio::select! {
        () = context.shutdown.cancelled() => return,
        handshake = timeout_at(deadline, acceptor.accept(socket)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let name = stream.get_ref().1.peer_certificates().and_then(|chain| common_name(chain.first()?));
            converse(stream, caller, name, deadline, context).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(peer = %caller.peer, %error, "TLS handshake failed");
            context.meters.turned_away(TurnedAway::TlsHandshake);
        }
        Err(_) => context.meters.turned_away(TurnedAway::TooSlow),
    }
}

/// Logs a client in and serves it.
pub(super) async fn converse<S>(
    mut stream: S,
    caller: Caller,
    certificate_cn: Option<SmolStr>,
    deadline: Instant,
    context: Arc<Context>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut inbox = BytesMut::new();
    let read = tokio::select! {
        () = context.shutdown.cancelled() => return,
        read = timeout_at(deadline, read_greeting(&mut stream, &mut inbox, &context)) => read,
    };
    let greeting = match read {
        Ok(Some(greeting)) => greeting,
        // Somebody looked whether the port is open.
        Ok(None) => return,
        Err(_) => Err(Refused { why: TurnedAway::TooSlow, answer: Vec::new() }),
    };
    let admitted = match greeting {
        Ok(greeting) => admit(greeting, &caller, certificate_cn, &context),
        Err(refused) => Err(refused),
    };
    match admitted {
        Ok(admitted) => {
            drop(caller);
            admitted.connection(stream, inbox, &context).run().await;
        }
        Err(refused) => turn_away(stream, refused, &caller, &context).await,
    }
}

/// Reads the first packet. None when the peer leaves without a word.
async fn read_greeting<S>(stream: &mut S, inbox: &mut BytesMut, context: &Context) -> Option<Result<Greeting, Refused>>
where
    S: AsyncRead + Unpin,
{
    let bytes_max = CONNECT_BYTES_MAX.min(context.limits.packet_bytes_max);
    loop {
        match frames::first(inbox, bytes_max) {
            Frame::Incomplete { bytes } => {
                inbox.reserve(bytes.saturating_sub(inbox.len()).max(512));
                if !matches!(stream.read_buf(inbox).await, Ok(1..)) {
                    return None;
                }
            }
            Frame::Complete { header, bytes } => {
                let packet = inbox.split_to(bytes);
                let bad = |unserved: Unserved| Refused { why: TurnedAway::BadGreeting, answer: unserved.answer };
                return Some(Greeting::read(&packet, header).map_err(bad));
            }
            Frame::Oversize { .. } | Frame::Malformed => {
                return Some(Err(Refused { why: TurnedAway::BadGreeting, answer: Vec::new() }));
            }
        }
    }
}

/// A client that is let in.
struct Admitted {
    greeting: Greeting,
    grant: Grant,
    seat: Seat,
    line: Arc<Line>,
    permit: OwnedSemaphorePermit,
}

/// Checks the login, then the limits, then seats the client in its session.
fn admit(
    greeting: Greeting,
    caller: &Caller,
    certificate_cn: Option<SmolStr>,
    context: &Arc<Context>,
) -> Result<Admitted, Refused> {
    let version = greeting.version;
    let refuse = |why, refusal: Refusal| Refused { why, answer: refusal.connack(version) };
    if greeting.username.is_none() && certificate_cn.is_none() {
        return Err(refuse(TurnedAway::Anonymous, Refusal::NotPermitted));
    }
    let login = Login {
        client_id: greeting.client_id.clone(),
        username: greeting.username.clone(),
        password: greeting.password.clone(),
        certificate_cn,
        peer: caller.peer,
    };
    let grant = (context.ports.login)(&login).map_err(|denied| match denied {
        Denied::WrongCredentials => refuse(TurnedAway::WrongCredentials, Refusal::WrongCredentials),
        Denied::NotPermitted => refuse(TurnedAway::NotPermitted, Refusal::NotPermitted),
        Denied::Unavailable => refuse(TurnedAway::Unavailable, Refusal::Unavailable),
    })?;
    let Ok(permit) = Arc::clone(&context.connections).try_acquire_owned() else {
        return Err(refuse(TurnedAway::Full, Refusal::Busy));
    };
    let line = Line::new(context.limits.receive_maximum).within(&context.belfry);
    let line = Arc::new(match &caller.plain {
        Some(socket) => line.by(Arc::clone(socket), &context.meters),
        None => line,
    });
    let in_flight_max = context.limits.outgoing_in_flight_max.min(greeting.receive_maximum).max(1);
    let arrival = Arrival {
        client: grant.client.clone(),
        name: greeting.client_id.clone(),
        clean: greeting.clean,
        line: Arc::clone(&line),
        capacity: Capacity {
            packet_bytes_max: greeting.packet_bytes_max.map_or(usize::MAX, |bytes| bytes as usize),
            in_flight_max: usize::from(in_flight_max),
        },
        keep_for: Duration::from_secs(greeting.session_expiry_s.into()).min(context.limits.session_expiry_max),
    };
    let seat = context.sessions.arrive(arrival).map_err(|Full| refuse(TurnedAway::Full, Refusal::Quota))?;
    if seat.took_over_another {
        context.meters.shared_login(grant.client.as_str());
    }
    Ok(Admitted { greeting, grant, seat, line, permit })
}

impl Admitted {
    /// The connection that serves this client, its CONNACK ready to leave.
    fn connection<S>(self, stream: S, inbox: BytesMut, context: &Arc<Context>) -> Connection<S>
    where
        S: AsyncRead + AsyncWrite,
    {
        let Self { greeting, grant, seat, line, permit } = self;
        let limits = &context.limits;
        let presence = Presence::begin(context, &grant.client, seat.resumed, seat.took_over, permit);
        if seat.resumed {
            // Dispatch may publish what is pending; it is written after CONNACK.
            for filter in seat.session.filters() {
                (context.ports.subscribed)(&grant.client, filter.as_str());
            }
        }
        let mut protocol = Protocol::new(&greeting, limits.packet_bytes_max, limits.receive_maximum.max(1));
        let mut out = BytesMut::new();
        let keep_alive_s = keep_alive_s(greeting.keep_alive_s, limits.keep_alive_max);
        let session_expiry_s = seat.keep_for.as_secs() as u32;
        let welcome = Welcome {
            session_present: seat.resumed,
            keep_alive_s: (keep_alive_s != greeting.keep_alive_s).then_some(keep_alive_s),
            session_expiry_s: (session_expiry_s != greeting.session_expiry_s).then_some(session_expiry_s),
            client_id: greeting.client_id.is_empty().then(|| grant.client.as_str().into()),
        };
        protocol.welcome(&welcome, &mut out);
        let now = Instant::now();
        let (reader, writer) = tokio::io::split(stream);
        Connection {
            reader,
            writer,
            inbox,
            out,
            chunk: super::connection::CHUNK_BYTES_MIN,
            unflushed: false,
            protocol,
            number: context.next_number(),
            context: Arc::clone(context),
            pace: Pace::new(grant.messages_per_s_max.unwrap_or(limits.messages_per_s_max), now),
            grant,
            seat,
            owed: Owed::new(Arc::clone(&line)),
            line,
            holding: None,
            skipping: None,
            silence_max: Duration::from_millis(u64::from(keep_alive_s) * 1_500),
            heard_at: now,
            progress_at: now,
            draining_since: None,
            closing: None,
            received_at: (context.ports.now)(),
            last_will: greeting.will,
            presence,
        }
    }
}

/// The keep alive in force: what the client asked for, within the limit; the limit when it asked for none.
fn keep_alive_s(asked_s: u16, max: Duration) -> u16 {
    let max_s = u16::try_from(max.as_secs()).unwrap_or(u16::MAX).max(1);
    if asked_s == 0 { max_s } else { asked_s.min(max_s) }
}

/// Answers a client that is not served. A wrong login waits, so that guessing takes time.
async fn turn_away<S>(mut stream: S, refused: Refused, caller: &Caller, context: &Context)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    context.meters.turned_away(refused.why);
    if refused.why == TurnedAway::BadGreeting {
        context.meters.bad_greeting(caller.peer.ip());
    }
    tracing::debug!(peer = %caller.peer, reason = refused.why.as_str(), "connection turned away");
    match refused.why {
        TurnedAway::WrongCredentials | TurnedAway::NotPermitted | TurnedAway::Anonymous => {
            tokio::select! {
                () = context.shutdown.cancelled() => {}
                () = sleep(context.limits.login_delay) => {}
            }
        }
        TurnedAway::Full
        | TurnedAway::Unavailable
        | TurnedAway::BadGreeting
        | TurnedAway::TooSlow
        | TurnedAway::TlsHandshake => {}
    }
    // Nothing depends on whether the answer arrives.
    drop(
        timeout(ANSWER_WITHIN, async {
            stream.write_all(&refused.answer).await?;
            stream.shutdown().await
        })
        .await,
    );
}
