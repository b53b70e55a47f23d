//! The steps that bring a store's tables up to date: one history for both databases, in which some steps differ.
//!
//! A step that has been applied anywhere is never changed; `shared` holds SQL that runs on both.

use refinery::{Migration, Runner};

mod shared {
    refinery::embed_migrations!("src/store/migrations/shared");
}
mod for_sqlite {
    refinery::embed_migrations!("src/store/migrations/sqlite");
}
mod for_postgres {
    refinery::embed_migrations!("src/store/migrations/postgres");
}

pub(super) fn sqlite() -> Runner {
    both(for_sqlite::migrations::runner().get_migrations())
}

pub(super) fn postgres() -> Runner {
    both(for_postgres::migrations::runner().get_migrations())
}

/// All in one transaction: refinery otherwise commits a step before it notes that it has been applied.
fn both(own: &[Migration]) -> Runner {
    let steps = [shared::migrations::runner().get_migrations().as_slice(), own].concat();
    Runner::new(&steps).set_grouped(true)
}

/// The newest version of the tables that this program knows.
pub(super) fn known(runner: &Runner) -> i32 {
    runner.get_migrations().iter().map(Migration::version).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_are_at_the_same_version() {
        assert_eq!(known(&sqlite()), known(&postgres()));
        for runner in [sqlite(), postgres()] {
            let versions: Vec<_> = runner.get_migrations().iter().map(Migration::version).collect();
            assert_eq!(versions, (1..=known(&runner)).collect::<Vec<_>>());
        }
    }
}
