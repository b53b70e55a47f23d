//! The municipality alive: bins fill, people move and press, devices report what they saw.
//!
//! A scene of the lockstep. Each device speaks when its own agenda says so; each draws from a stream of its own.
//! Start with `live`.

use super::bed::{Bed, HelpButton};
use super::bin::{Bin, BinSeen};
use super::chance::Chance;
use super::civil::Civil;
use super::formats::{self, Hearing, Message};
use super::misbehaviour::Misbehaviour;
use super::municipality::{BedSite, BinSite, Carrier, Municipality, STARTS_AT, lines};
use super::notes::Notes;
use super::places::{CREWS, DISTRICTS, FRACTIONS, HOMES, MUNICIPALITY, WATER_TOWER};
use super::scene::{Outbox, Scene, Work};
use super::spoil::{self, Limits};
use crate::domain::ids::{AssetId, ClientId, TaskId};
use crate::domain::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How often a bed mat reports; all beds of a home in the same moment, as their base station collects them.
const BED_EVERY: Span = Span::from_mins(1);
/// Homes report one after the other.
const HOMES_APART: Span = Span::from_secs(15);
/// How often a help button says that it is there.
const BUTTON_EVERY: Span = Span::from_hours(1);
/// Share of LoRaWAN uplinks that no gateway hears.
const RADIO_LOSS: f64 = 0.05;
/// A device that falls silent does so about this long after the start.
const SILENT_AFTER: Span = Span::from_mins(40);
/// A bin catches fire this long after the start, and another is knocked over.
const FIRE_AFTER: Span = Span::from_mins(75);
const TIPPED_AFTER: Span = Span::from_mins(130);
/// The kind of task after which a bin is empty; after any other it is mended.
const EMPTY_BIN: &str = "empty-bin";
/// The unregistered device reports this often.
const STRANGER_EVERY: Span = Span::from_mins(45);

/// Something on the agenda. The order breaks ties between things that are due in the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Report(usize),
    Mat(usize),
    Press(usize),
    PressAgain(usize),
    /// A carer sets the button back.
    Answered(usize),
    /// A button's sign of life.
    Alive(usize),
    Stranger,
    Fire,
    Tipped,
    FallSilent(usize),
}

struct LivingBin {
    site: BinSite,
    bin: Bin,
    /// Radio and misbehaviour, apart from the bin's own life.
    chance: Chance,
    frame: u32,
}

struct LivingBed {
    site: BedSite,
    bed: Bed,
    button: Option<HelpButton>,
    silent: bool,
}

/// See the module.
pub(crate) struct Town {
    civil: Civil,
    limits: Limits,
    bins: Vec<LivingBin>,
    beds: Vec<LivingBed>,
    by_asset: BTreeMap<AssetId, Place>,
    agenda: BTreeSet<(Timestamp, Due)>,
    dramas: Chance,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Bin(usize),
    Bed(usize),
}

impl Town {
    pub(crate) fn new(municipality: &Municipality, limits: Limits) -> Self {
        let seed = municipality.seed;
        let bins: Vec<_> = municipality.bins.iter().map(|site| LivingBin::new(seed, site)).collect();
        let beds: Vec<_> = municipality.beds.iter().map(|site| LivingBed::new(seed, site)).collect();
        let bin_places = bins.iter().enumerate().map(|(at, bin)| (bin.site.asset.clone(), Place::Bin(at)));
        let bed_places = beds.iter().enumerate().map(|(at, bed)| (bed.site.asset.clone(), Place::Bed(at)));
        let mut town = Self {
            civil: Civil::danish(),
            limits,
            by_asset: bin_places.chain(bed_places).collect(),
            agenda: BTreeSet::new(),
            dramas: Chance::new(seed, &["dramas"]),
            bins,
            beds,
        };
        town.plan_first();
        town
    }

    fn plan_first(&mut self) {
        for (index, bin) in self.bins.iter_mut().enumerate() {
            let first = bin.chance.span(Span::ZERO, report_every(bin.site.carrier));
            self.agenda.insert((STARTS_AT + first, Due::Report(index)));
        }
        for (index, bed) in self.beds.iter_mut().enumerate() {
            self.agenda.insert((STARTS_AT + HOMES_APART.times(bed.site.home as i64), Due::Mat(index)));
            if let Some(button) = &mut bed.button {
                let first = button.next_press(&self.civil, STARTS_AT);
                self.agenda.insert((first, Due::Press(index)));
                self.agenda.insert((STARTS_AT + Span::from_mins(index as i64), Due::Alive(index)));
            }
            if bed.site.misbehaves == Some(Misbehaviour::Silent) {
                self.agenda.insert((STARTS_AT + SILENT_AFTER, Due::FallSilent(index)));
            }
        }
        self.agenda.insert((STARTS_AT + STRANGER_EVERY, Due::Stranger));
        self.agenda.insert((STARTS_AT + FIRE_AFTER, Due::Fire));
        self.agenda.insert((STARTS_AT + TIPPED_AFTER, Due::Tipped));
    }

    fn happen(&mut self, at: Timestamp, due: Due, outbox: &mut Outbox, notes: &mut Notes) {
        match due {
            Due::Report(index) => {
                let bin = &mut self.bins[index];
                bin.report(&self.civil, at, self.limits, outbox);
                self.agenda.insert((at + report_every(bin.site.carrier), due));
            }
            Due::Mat(index) => {
                self.beds[index].report(&self.civil, at, outbox);
                self.agenda.insert((at + BED_EVERY, due));
            }
            Due::Press(index) => {
                self.press(index, at, outbox, notes);
                if let Some(button) = &mut self.beds[index].button {
                    self.agenda.insert((button.next_press(&self.civil, at), due));
                }
            }
            Due::PressAgain(index) => {
                if self.beds[index].button.as_ref().is_some_and(HelpButton::waiting) {
                    self.press(index, at, outbox, notes);
                }
            }
            Due::Answered(index) | Due::Alive(index) => {
                let Some(device) = &self.beds[index].site.button else { return };
                let line = ClientId::new(lines::WARD_HUB);
                if let Due::Alive(_) = due {
                    outbox.put(line, formats::alive(device));
                    self.agenda.insert((at + BUTTON_EVERY, due));
                } else {
                    outbox.put(line, formats::press_answered(device));
                }
            }
            Due::Stranger => {
                outbox.put(ClientId::new(lines::STREET_HUB), spoil::stranger(at));
                self.agenda.insert((at + STRANGER_EVERY, due));
            }
            Due::Fire | Due::Tipped => {
                let index = self.dramas.below(self.bins.len());
                let words = if due == Due::Fire { "something burns in" } else { "somebody knocks over" };
                notes.say(at, format!("{words} {}", self.called(&self.bins[index].site.asset)));
                let bin = &mut self.bins[index];
                if due == Due::Fire {
                    bin.bin.catch_fire();
                } else {
                    bin.bin.tip_over();
                }
                // A sensor that sees such a thing does not wait for its interval.
                bin.report(&self.civil, at, self.limits, outbox);
            }
            Due::FallSilent(index) => {
                self.beds[index].silent = true;
                notes.say(at, format!("the mat of {} falls silent", self.beds[index].site.asset));
            }
        }
    }

    fn press(&mut self, index: usize, at: Timestamp, outbox: &mut Outbox, notes: &mut Notes) {
        let bed = &mut self.beds[index];
        let (Some(device), Some(button)) = (&bed.site.button, &mut bed.button) else { return };
        let again = button.waiting();
        outbox.put(ClientId::new(lines::WARD_HUB), formats::press(device));
        if button.press() {
            self.agenda.insert((at + button.patience(), Due::PressAgain(index)));
        }
        let words = if again { "presses again" } else { "presses for help" };
        notes.say(at, format!("the resident of {} {words}", bed.site.asset));
    }
}

impl Scene for Town {
    fn next_at(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    fn live(&mut self, until: Timestamp, outbox: &mut Outbox, notes: &mut Notes) {
        while let Some((at, due)) = self.agenda.first().copied().filter(|(at, _)| *at <= until) {
            self.agenda.remove(&(at, due));
            self.happen(at, due, outbox, notes);
        }
    }

    fn offered(&mut self, _task: TaskId, _work: &Work) {}

    fn title(&self) -> String {
        let (bins, beds) = (self.bins.len(), self.beds.len());
        format!("{MUNICIPALITY}, simulated: {bins} bins, {beds} beds, {} crews", CREWS.len())
    }

    fn served(&mut self, at: Timestamp, work: &Work) {
        match self.by_asset.get(&work.asset) {
            Some(Place::Bin(index)) => {
                let bin = &mut self.bins[*index].bin;
                bin.live(&self.civil, at);
                if work.kind == EMPTY_BIN { bin.empty() } else { bin.mend() }
            }
            Some(Place::Bed(index)) => {
                let bed = &mut self.beds[*index];
                bed.bed.live(&self.civil, at);
                if bed.served() {
                    self.agenda.insert((at, Due::Answered(*index)));
                }
            }
            None => {}
        }
    }

    fn misbehaving(&self) -> Vec<String> {
        let bins = self.bins.iter().map(|bin| (&bin.site.device, bin.site.misbehaves));
        let beds = self.beds.iter().map(|bed| (&bed.site.mat, bed.site.misbehaves));
        bins.chain(beds)
            .filter_map(|(device, misbehaves)| Some(format!("{device} {}", misbehaves?.in_words())))
            .chain([format!("{} {}", spoil::STRANGER, Misbehaviour::UnknownDevice.in_words())])
            .collect()
    }

    fn called(&self, asset: &AssetId) -> String {
        match self.by_asset.get(asset) {
            Some(Place::Bin(index)) => {
                let site = &self.bins[*index].site;
                let district = DISTRICTS[site.district].area;
                format!("{asset} ({}, {}, {district})", FRACTIONS[site.fraction].name, site.street)
            }
            Some(Place::Bed(index)) => {
                let site = &self.beds[*index].site;
                format!("{asset} ({}, room {})", HOMES[site.home].name, site.room)
            }
            None => asset.to_string(),
        }
    }
}

/// LoRaWAN devices save their batteries; those with mains or a modem speak more often.
const fn report_every(carrier: Carrier) -> Span {
    match carrier {
        Carrier::ChirpStack | Carrier::ThingsStack => Span::from_hours(2),
        Carrier::StreetHub => Span::from_hours(1),
        Carrier::OwnModem => Span::from_mins(20),
    }
}

impl LivingBin {
    fn new(seed: u64, site: &BinSite) -> Self {
        let name = site.asset.as_str();
        Self {
            bin: Bin::new(seed, name, STARTS_AT),
            chance: Chance::new(seed, &["radio", name]),
            frame: 0,
            site: site.clone(),
        }
    }

    fn report(&mut self, civil: &Civil, at: Timestamp, limits: Limits, outbox: &mut Outbox) {
        self.bin.live(civil, at);
        let seen = self.bin.look(civil, at);
        self.frame += 1;
        let hearing = Hearing { at, frame: self.frame, lora_gateway: self.site.lora_gateway() };
        let heard = !self.chance.happens(RADIO_LOSS);
        let message = match self.site.carrier {
            Carrier::ChirpStack if heard => formats::chirpstack(&self.site, &seen, hearing),
            Carrier::ThingsStack if heard => formats::things_stack(&self.site, &seen, hearing),
            Carrier::ChirpStack | Carrier::ThingsStack => return,
            Carrier::StreetHub => formats::canonical_bin(&self.site.device, &seen, Some(at)),
            Carrier::OwnModem => self.spoiled(&seen, at, limits),
        };
        outbox.put(self.site.line(), message);
        if self.site.misbehaves == Some(Misbehaviour::TwoGateways) {
            let copy = formats::chirpstack(&self.site, &seen, Hearing { lora_gateway: WATER_TOWER, ..hearing });
            outbox.put(ClientId::new(lines::CHIRPSTACK_ROAMING), copy);
        }
    }

    /// What a bin with its own modem sends; those that misbehave do so every other time.
    fn spoiled(&mut self, seen: &BinSeen, at: Timestamp, limits: Limits) -> Message {
        let device = &self.site.device;
        match self.site.misbehaves.filter(|_| self.chance.happens(0.5)) {
            Some(misbehaviour) => spoil::bin(misbehaviour, device, seen, at, limits),
            None => formats::canonical_bin(device, seen, Some(at)),
        }
    }
}

impl LivingBed {
    fn new(seed: u64, site: &BedSite) -> Self {
        let name = site.asset.as_str();
        Self {
            bed: Bed::new(seed, name, site.pressure_usual, STARTS_AT),
            button: site.button.as_ref().map(|_| HelpButton::new(seed, name)),
            silent: false,
            site: site.clone(),
        }
    }

    fn report(&mut self, civil: &Civil, at: Timestamp, outbox: &mut Outbox) {
        self.bed.live(civil, at);
        let seen = self.bed.feel();
        if !self.silent {
            outbox.put(ClientId::new(lines::WARD_HUB), formats::canonical_bed(&self.site.mat, &seen, at));
        }
    }

    /// Somebody has been at the bed: turned the person, plugged the mat in again, answered the call. True when there
    /// was a call.
    fn served(&mut self) -> bool {
        self.bed.relieve();
        self.silent = false;
        self.button.as_mut().is_some_and(HelpButton::answer)
    }
}
