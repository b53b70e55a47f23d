//! A crew's phone. Include with `#[path = "support/phone.rs"] mod phone;`, beside `mqtt`.

use super::mqtt::{Connection, Packet};
use serde_json::Value;

/// A crew takes the first task it is offered and completes it.
pub fn work_one_task(phone: &mut Connection) {
    let Packet::Message { payload, packet, .. } = phone.next().unwrap() else { panic!("not a task") };
    phone.acknowledge(packet.unwrap()).unwrap();
    let task: Value = serde_json::from_slice(&payload).unwrap();
    let mut unanswered = 0;
    for (packet, answer) in (1..).zip(["accepted", "en-route", "on-site", "completed"]) {
        let reply = serde_json::json!({ "task": task["task"], "answer": answer }).to_string();
        phone.publish(Some(packet), false, "rettidig/v1/crew/crew-1/replies", reply.as_bytes()).unwrap();
        unanswered += 1;
    }
    // Further tasks may come in between.
    while unanswered > 0 {
        match phone.next().unwrap() {
            Packet::Acknowledged(_) => unanswered -= 1,
            Packet::Message { packet, .. } => phone.acknowledge(packet.unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}
