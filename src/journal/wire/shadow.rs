//! What a rule in shadow would have raised, as it stands in a snapshot.

use super::fact::Cause;
use crate::domain::ids::{AssetId, RuleId};
use crate::domain::time::Timestamp;
use crate::engine::Shadow;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
pub struct ShadowState<'a> {
    #[b(0)]
    rule: &'a str,
    #[b(1)]
    asset: &'a str,
    #[n(2)]
    raised_at: i64,
    #[b(3)]
    cause: Cause<'a>,
}

impl<'a> ShadowState<'a> {
    /// None where there are none: so a snapshot without them is written as before there were any.
    pub fn all(known: &'a [(RuleId, AssetId, Shadow)]) -> Option<Vec<Self>> {
        let state = |(rule, asset, shadow): &'a (RuleId, AssetId, Shadow)| Self {
            rule: rule.as_str(),
            asset: asset.as_str(),
            raised_at: shadow.raised_at.as_micros(),
            cause: (&shadow.cause).into(),
        };
        (!known.is_empty()).then(|| known.iter().map(state).collect())
    }
}

impl From<ShadowState<'_>> for (RuleId, AssetId, Shadow) {
    fn from(wire: ShadowState<'_>) -> Self {
        let shadow = Shadow { raised_at: Timestamp::from_micros(wire.raised_at), cause: wire.cause.into() };
        (wire.rule.into(), wire.asset.into(), shadow)
    }
}
