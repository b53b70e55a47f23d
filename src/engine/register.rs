//! Changes of the registry: all of an event's changes, or none.

use super::inventory::{AssetState, DeviceState};
use super::state::{Draft, Engine};
use crate::domain::asset::{Asset, Device};
use crate::domain::decision::{DeliveryEnd, Fact};
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AssetId, CrewId, DeviceId};
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::task::{CancelReason, TaskStatus};
use crate::domain::time::{Span, Timestamp};
use crate::estimate::silence::Silence;
use crate::rules::Rule;
use std::collections::BTreeSet;

/// What is expected of a device whose sensor type has left the configuration: a day between words.
const INTERVAL_UNKNOWN: Span = Span::from_hours(24);

impl Engine {
    pub(super) fn register(&mut self, draft: &mut Draft, changes: &[RegistryChange]) -> Verdict {
        if let Err(refusal) = self.check_changes(changes) {
            return Verdict::Refused(refusal);
        }
        let judged = self.let_go_before(changes);
        self.settle(draft, judged);
        self.adopt(changes, draft.now);
        self.dismiss_orphans(draft);
        for change in changes {
            if let RegistryChange::RemoveCrew(crew) = change {
                self.take_back_from(draft, crew);
            }
        }
        Verdict::Accepted
    }

    /// Takes the changes on. What depends on them (alarms, tasks) follows as facts.
    pub(super) fn adopt(&mut self, changes: &[RegistryChange], now: Timestamp) {
        for change in changes {
            match change {
                RegistryChange::PutAsset(asset) => self.put_asset(asset, now),
                RegistryChange::PutDevice(device) => self.put_device(device, now),
                RegistryChange::PutCrew(crew) => {
                    self.inventory.crews.insert(crew.id.clone(), crew.clone());
                }
                RegistryChange::PutPerson(person) => {
                    self.inventory.people.insert(person.id.clone(), person.clone());
                }
                RegistryChange::RemoveAsset(asset) => {
                    self.shadows.forget(asset);
                    let gone = self.inventory.assets.remove(asset).and_then(|state| state.order);
                    self.held_back -= gone.map_or(0, |order| order.waiting.len());
                }
                RegistryChange::RemoveDevice(device) => self.remove_device(device),
                RegistryChange::RemoveCrew(crew) => {
                    self.inventory.crews.remove(crew);
                    self.tasks.last_offered.remove(crew);
                }
                RegistryChange::RemovePerson(person) => {
                    self.inventory.people.remove(person);
                }
            }
        }
    }

    fn check_changes(&self, changes: &[RegistryChange]) -> Result<(), Refusal> {
        if self.inventory.entries() + changes.len() > self.limits.registry_entries {
            return Err(Refusal::LimitReached);
        }
        let removed: BTreeSet<&AssetId> = changes.iter().filter_map(removed_asset).collect();
        let added: BTreeSet<&AssetId> = changes.iter().filter_map(put_asset).collect();
        let known = |asset: &AssetId| {
            added.contains(asset) || (self.inventory.asset(asset).is_some() && !removed.contains(asset))
        };
        let moved: BTreeSet<&DeviceId> = changes.iter().filter_map(touched_device).collect();
        for change in changes {
            match change {
                RegistryChange::PutDevice(device) if !known(&device.asset) => return Err(Refusal::UnknownAsset),
                RegistryChange::PutDevice(device) if self.interval_of(device).is_none() => {
                    return Err(Refusal::UnknownSensorType);
                }
                RegistryChange::RemoveAsset(asset) => self.check_removal(asset, &moved)?,
                RegistryChange::RemoveDevice(device) if self.inventory.device(device).is_none() => {
                    return Err(Refusal::UnknownDevice);
                }
                RegistryChange::PutAsset(_)
                | RegistryChange::PutDevice(_)
                | RegistryChange::PutCrew(_)
                | RegistryChange::PutPerson(_)
                | RegistryChange::RemoveDevice(_)
                | RegistryChange::RemoveCrew(_)
                | RegistryChange::RemovePerson(_) => {}
            }
        }
        Ok(())
    }

    fn check_removal(&self, asset: &AssetId, moved: &BTreeSet<&DeviceId>) -> Result<(), Refusal> {
        let Some(state) = self.inventory.assets.get(asset) else { return Err(Refusal::UnknownAsset) };
        let free = state.devices.iter().all(|device| moved.contains(device));
        if free { Ok(()) } else { Err(Refusal::StillReferenced) }
    }

    fn interval_of(&self, device: &Device) -> Option<Span> {
        self.configuration.as_ref()?.sensor_types.get(&device.sensor_type).map(|known| known.interval)
    }

    /// An asset that changes kind or person starts afresh: what was known of it was about something else.
    fn put_asset(&mut self, asset: &Asset, now: Timestamp) {
        let fresh = match self.inventory.assets.get_mut(&asset.id) {
            None => {
                self.inventory.assets.insert(AssetState::new(asset.clone(), &self.rules));
                true
            }
            Some(state) => {
                let fresh = state.asset.kind != asset.kind || state.asset.person != asset.person;
                if fresh {
                    self.shadows.forget(&asset.id);
                    let devices = std::mem::take(&mut state.devices);
                    let begun = AssetState { devices, ..AssetState::new(asset.clone(), &self.rules) };
                    let before = std::mem::replace(state, begun);
                    self.held_back -= before.order.map_or(0, |order| order.waiting.len());
                }
                if state.asset.area != asset.area {
                    state.leave_neighbourhood();
                }
                let same = state.asset.attributes == asset.attributes;
                state.asset = asset.clone();
                if same && !fresh {
                    return;
                }
                fresh
            }
        };
        if fresh {
            self.arrange(&asset.id);
        }
        // Nothing was measured yet of what is fresh: only a calendar can say something about it.
        let like = |rule: &Rule| rule.turns() && (rule.needs_no_value() || !fresh);
        if let Some(seat) = self.inventory.assets.seat(&asset.id)
            && let Some(state) = self.inventory.assets.at_mut(seat)
        {
            let anew = state.judge_anew(seat, now, &self.rules, like);
            self.timers.ask_all(anew);
        }
    }

    fn put_device(&mut self, device: &Device, now: Timestamp) {
        let interval = self.interval_of(device).unwrap_or(INTERVAL_UNKNOWN);
        let before = self.inventory.asset_of(&device.id).cloned();
        self.detach(&device.id);
        self.inventory.attach(device);
        if let Some(state) = self.inventory.devices.get_mut(&device.id) {
            state.silence.interval = interval;
            state.watched = false;
            state.device = device.clone();
        } else {
            let state = DeviceState::new(device.clone(), Silence::new(interval, now));
            self.inventory.devices.insert(state);
        }
        for asset in before.iter().chain([&device.asset]) {
            self.arrange(asset);
        }
        self.watch_silence(&device.id);
    }

    fn remove_device(&mut self, device: &DeviceId) {
        let asset = self.inventory.asset_of(device).cloned();
        self.detach(device);
        self.inventory.devices.remove(device);
        if let Some(asset) = asset {
            self.arrange(&asset);
        }
    }

    fn detach(&mut self, device: &DeviceId) {
        let Some(asset) = self.inventory.asset_of(device).cloned() else { return };
        if let Some(state) = self.inventory.assets.get_mut(&asset) {
            state.devices.retain(|known| known != device);
        }
    }

    /// Alarms of assets that are gone, or have become something else, are closed.
    fn dismiss_orphans(&mut self, draft: &mut Draft) {
        let orphans: Vec<_> = self
            .alarms
            .values()
            .filter(|alarm| self.alarm_of(&alarm.rule, &alarm.asset) != Some(alarm.id))
            .map(|alarm| alarm.id)
            .collect();
        for alarm in orphans {
            self.dismiss(draft, alarm, CancelReason::AssetRemoved);
        }
    }

    /// A crew that has left cannot finish its tasks: they go to the next one.
    fn take_back_from(&mut self, draft: &mut Draft, crew: &CrewId) {
        let held: Vec<_> = self
            .tasks
            .iter()
            .filter(|task| task.crew.as_ref() == Some(crew) && !task.status.ended())
            .map(|task| (task.id, task.status))
            .collect();
        for (task, status) in held {
            debug_assert!(status != TaskStatus::Completed, "an ended task is not held");
            self.state(draft, Fact::OfferExpired { task, crew: crew.clone() });
            self.end_deliveries(draft, task, crew, DeliveryEnd::Superseded);
            self.offer(draft, task);
        }
    }
}

const fn removed_asset(change: &RegistryChange) -> Option<&AssetId> {
    if let RegistryChange::RemoveAsset(asset) = change { Some(asset) } else { None }
}

const fn put_asset(change: &RegistryChange) -> Option<&AssetId> {
    if let RegistryChange::PutAsset(asset) = change { Some(&asset.id) } else { None }
}

const fn touched_device(change: &RegistryChange) -> Option<&DeviceId> {
    match change {
        RegistryChange::PutDevice(device) => Some(&device.id),
        RegistryChange::RemoveDevice(device) => Some(device),
        RegistryChange::PutAsset(_)
        | RegistryChange::PutCrew(_)
        | RegistryChange::PutPerson(_)
        | RegistryChange::RemoveAsset(_)
        | RegistryChange::RemoveCrew(_)
        | RegistryChange::RemovePerson(_) => None,
    }
}
