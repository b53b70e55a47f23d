//! Shutting down loses nothing that was accepted.

use crate::gateway::{start, within};
use crate::wire::{Wire, puback, publish3, publish5, v3, v5};
use rettidig::endpoint::Acknowledge;
use tokio::net::TcpStream;

#[tokio::test]
async fn every_accepted_message_is_acknowledged_before_the_connection_is_closed() {
    let mut gateway = start().await;
    let mut polite = Wire::connect(&gateway, &v5("bin-7")).await;
    let mut old = Wire::connect(&gateway, &v3("bin-8")).await;
    let mut idle = Wire::connect(&gateway, &v5("bin-9")).await;
    let mut stranger = Wire::open(gateway.address()).await;
    polite.send(&publish5("up/bin-7/fill", 1, b"")).await;
    old.send(&publish3("up/bin-8/fill", 1, b"")).await;
    let mut held: Vec<Acknowledge> = vec![gateway.uplink().await.1, gateway.uplink().await.1];
    gateway.shutdown.cancel();
    assert_eq!(idle.rest().await, [0xe0, 2, 0x8b, 0], "server shutting down");
    assert_eq!(stranger.rest().await, b"");
    polite.send(&publish5("up/bin-7/fill", 2, b"")).await;
    Acknowledge::release_all(&mut held);
    assert_eq!(polite.rest().await, [&puback(1)[..], &[0xe0, 2, 0x8b, 0]].concat(), "what came later is not read");
    assert_eq!(old.rest().await, puback(1));
    drop((polite, old, idle, stranger));
    gateway.stop().await;
    assert!(gateway.uplinks.is_empty());
    assert!(within(TcpStream::connect(gateway.address())).await.is_err(), "nobody listens");
}
