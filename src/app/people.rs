//! The console's way to the vault: signing in, sessions, the first account.
//!
//! Checking a password takes tens of milliseconds and a good part of a core, so it happens off the I/O runtime.

use super::clock::Clock;
use crate::console::{
    Account, FirstStart, FirstStartRefusal, Role, SessionToken, SignIn, SignInRefusal, SignedIn, Unavailable,
};
use crate::domain::ids::AccountId;
use crate::vault::{self, Attempt, Vault, VaultError};
use tokio::task::spawn_blocking;

#[derive(Clone)]
pub(super) struct People {
    pub vault: Vault,
    pub clock: Clock,
}

impl People {
    pub async fn sign_in(self, attempt: SignIn) -> Result<SignedIn, SignInRefusal> {
        let checked = spawn_blocking(move || self.check(&attempt)).await;
        checked.unwrap_or(Err(SignInRefusal::Unavailable))
    }

    pub async fn session(self, token: SessionToken) -> Result<Option<Account>, Unavailable> {
        let found = spawn_blocking(move || self.vault.session(token.as_str(), self.clock.now())).await;
        let session = found.map_err(|_| Unavailable)?.map_err(|error| unavailable(&error))?;
        Ok(session.map(|session| account(session.account)))
    }

    pub async fn sign_out(self, token: SessionToken) -> Result<(), Unavailable> {
        let ended = spawn_blocking(move || self.vault.close_session(token.as_str())).await;
        ended.map_err(|_| Unavailable)?.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    pub async fn first_start(self, first: FirstStart) -> Result<SignedIn, FirstStartRefusal> {
        let redeemed = spawn_blocking(move || self.redeem(&first)).await;
        redeemed.unwrap_or(Err(FirstStartRefusal::Unavailable))
    }

    fn check(&self, attempt: &SignIn) -> Result<SignedIn, SignInRefusal> {
        let refuse = |error: VaultError| {
            tracing::error!(%error, "the vault does not answer");
            SignInRefusal::Unavailable
        };
        match self.vault.verify(&attempt.account, &attempt.password, self.clock.now()).map_err(refuse)? {
            Attempt::Accepted(known) => self.begin(&known.id).map_err(refuse),
            Attempt::Denied | Attempt::Locked { .. } => Err(SignInRefusal::Wrong),
        }
    }

    fn redeem(&self, first: &FirstStart) -> Result<SignedIn, FirstStartRefusal> {
        let redeemed = self.vault.redeem_first_start(&first.token, &first.account, &first.password, self.clock.now());
        match redeemed {
            Ok(true) => self.begin(&first.account).map_err(|_| FirstStartRefusal::Unavailable),
            Ok(false) => Err(FirstStartRefusal::Link),
            Err(error) if error.retryable() => Err(FirstStartRefusal::Unavailable),
            Err(error) => Err(FirstStartRefusal::Unfit(error.to_string())),
        }
    }

    fn begin(&self, id: &AccountId) -> Result<SignedIn, VaultError> {
        let now = self.clock.now();
        let unknown = || VaultError::UnknownAccount { account: id.clone() };
        let token = self.vault.open_session(id, now)?.reveal();
        let session = self.vault.session(&token, now)?.ok_or_else(unknown)?;
        let token = SessionToken::new(&token).ok_or_else(unknown)?;
        Ok(SignedIn { token, account: account(session.account), expires_at: session.expires_at })
    }
}

fn account(known: vault::Account) -> Account {
    let role = |grant: vault::Grant| match grant.role {
        vault::Role::Operator => Role::Operator,
        vault::Role::Crew => Role::Crew,
        vault::Role::Integrator => Role::Integrator,
        vault::Role::Auditor => Role::Auditor,
        vault::Role::Admin => Role::Admin,
    };
    Account { id: known.id, roles: known.grants.into_iter().map(role).collect() }
}

fn unavailable(error: &VaultError) -> Unavailable {
    tracing::error!(%error, "the vault does not answer");
    Unavailable
}
