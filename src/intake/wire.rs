//! The socket to a broker: TCP, TLS where it is set, whole packets in and groups of packets out.
//!
//! rumqttc reads and writes the packets; its own event loop is not used, because it costs a flush per acknowledgement,
//! repeats what has expired after a reconnect, and can only end a connection over which a long message comes.
//! Start with [`Wire::open`].

use super::client::LinkError;
use super::inflow::{Arrived, Inflow};
use super::options::{Options, duration};
use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5;
use rumqttc::{ConnAck, Connect, Packet};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// Read at once at most.
const CHUNK_BYTES: usize = 64 * 1024;
/// An answer to CONNECT is never longer.
const CONNACK_BYTES_MAX: u32 = 64 * 1024;

type Socket = Either<TcpStream, TlsStream<TcpStream>>;

/// One open connection.
pub(super) struct Wire {
    socket: Socket,
    inflow: Inflow,
    /// Bytes have arrived since somebody asked.
    heard: bool,
}

impl Wire {
    /// Connects and says CONNECT; gives the broker's answer too. Whoever waits sets the time limit.
    pub async fn open(
        options: &Options,
        tls: Option<&Arc<ClientConfig>>,
        connect: Connect,
    ) -> Result<(Self, ConnAck), LinkError> {
        let socket = dial(options, tls).await?;
        let inflow = Inflow::new(options.limits.packet_bytes_max, options.limits.head_bytes);
        let mut wire = Self { socket, inflow, heard: true };
        wire.send([Packet::Connect(connect)]).await?;
        match wire.receive().await? {
            Arrived::Packet(Packet::ConnAck(answer)) => Ok((wire, answer)),
            other @ (Arrived::Packet(_) | Arrived::Oversize(_)) => {
                Err(LinkError::Protocol(format!("answered CONNECT with {other:?}")))
            }
        }
    }

    /// The next packet. May be dropped while waiting without losing any.
    pub async fn receive(&mut self) -> Result<Arrived, LinkError> {
        loop {
            if let Some(arrived) = self.inflow.next()? {
                return Ok(arrived);
            }
            self.inflow.buffer.reserve(CHUNK_BYTES);
            if self.socket.read_buf(&mut self.inflow.buffer).await.map_err(|error| broken(&error))? == 0 {
                return Err(LinkError::Closed);
            }
            self.heard = true;
        }
    }

    /// Writes all packets with one flush. Must not be dropped half-way.
    pub async fn send(&mut self, packets: impl IntoIterator<Item = Packet>) -> Result<(), LinkError> {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, usize::MAX)?;
        }
        self.socket.write_all_buf(&mut bytes).await.map_err(|error| broken(&error))?;
        self.socket.flush().await.map_err(|error| broken(&error))
    }

    /// Whether anything has arrived since this was last asked; a long message counts while it is on its way.
    pub const fn take_heard(&mut self) -> bool {
        std::mem::replace(&mut self.heard, false)
    }
}

/// What an MQTT 5 broker says about the packets it takes and passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketLimit {
    Bytes(u32),
    /// It names none: as long as MQTT allows.
    None,
    /// It does not speak MQTT 5, or did not let us in.
    Unknown,
}

/// Asks with a connection of its own: MQTT 3.1.1 has no words for it.
pub(super) async fn packet_limit(
    options: &Options,
    tls: Option<&Arc<ClientConfig>>,
    client_id: String,
) -> Result<PacketLimit, LinkError> {
    let mut socket = dial(options, tls).await?;
    let keep_alive = u16::try_from(duration(options.limits.keep_alive).as_secs()).unwrap_or(u16::MAX);
    let connect = v5::Connect { keep_alive, client_id, clean_start: true, properties: None };
    let login = options.credentials.as_ref();
    let login = login.map(|login| v5::Login { username: login.username.clone(), password: login.password.clone() });
    let mut bytes = BytesMut::new();
    if connect.write(&None, &login, &mut bytes).is_err() {
        return Ok(PacketLimit::Unknown);
    }
    socket.write_all_buf(&mut bytes).await.map_err(|error| broken(&error))?;
    socket.flush().await.map_err(|error| broken(&error))?;
    let mut answer = BytesMut::new();
    // A broker that does not know MQTT 5 says so in 3.1.1, or closes.
    while socket.read_buf(&mut answer).await.unwrap_or(0) > 0 {
        let whole = answer.get(1).is_some_and(|length| answer.len() >= 2 + usize::from(*length & 0x7f));
        if !whole || answer[1] >= 0x80 && answer.len() < 3 {
            continue;
        }
        return Ok(match v5::Packet::read(&mut answer, Some(CONNACK_BYTES_MAX)) {
            Ok(v5::Packet::ConnAck(answer)) if answer.code == v5::ConnectReturnCode::Success => {
                let told = answer.properties.and_then(|properties| properties.max_packet_size);
                told.map_or(PacketLimit::None, PacketLimit::Bytes)
            }
            Ok(_) | Err(_) => PacketLimit::Unknown,
        });
    }
    Ok(PacketLimit::Unknown)
}

async fn dial(options: &Options, tls: Option<&Arc<ClientConfig>>) -> Result<Socket, LinkError> {
    let host = options.host.trim_matches(['[', ']']);
    let tcp = TcpStream::connect((host, options.port)).await.map_err(LinkError::Unreachable)?;
    tcp.set_nodelay(true).map_err(LinkError::Unreachable)?;
    let Some(tls) = tls else { return Ok(Either::Left(tcp)) };
    let refused = |error: &dyn std::fmt::Display| LinkError::Tls(error.to_string());
    let name = ServerName::try_from(host.to_owned()).map_err(|error| refused(&error))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.map_err(|error| refused(&error))?;
    Ok(Either::Right(stream))
}

fn broken(error: &io::Error) -> LinkError {
    if error.kind() == io::ErrorKind::InvalidData { LinkError::Tls(error.to_string()) } else { LinkError::Closed }
}
