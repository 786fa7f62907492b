"""Accounts on their way from one partition to another: each waits for the partition that claims it."""

from collections.abc import Iterable, Sequence

from schemas.learning import CarriedAccount, DayReport

WAITING_DAYS = 60
"""Days for which an account waits that nobody claims: its merge was published under the old name alone."""

OFFERED_DAYS = 4
"""Days for which packages carry an account that is claimed: a partition that did not wait for one package
takes it over with a later one."""


def accounts_to_carry(
    day: int, earlier: Sequence[CarriedAccount], reports: Iterable[DayReport]
) -> list[CarriedAccount]:
    """The accounts of the package of an epoch day.

    earlier: of the package before. An account goes to the partition that claims it from then on.
    """
    reports = list(reports)
    claims = {pair: report.partition for report in reports for pair in report.claims.items()}
    accounts = [*earlier, *(account for report in reports for account in report.carried)]
    claimed = [
        account
        if account.partition is not None or (account.learner, account.into) not in claims
        else account.model_copy(update={"partition": claims[account.learner, account.into], "claimed": day})
        for account in accounts
    ]
    return sorted(
        (account for account in claimed if _is_kept(account, day)),
        key=lambda account: (account.day, account.learner),
    )


def _is_kept(account: CarriedAccount, day: int) -> bool:
    if account.claimed is None:
        return day - account.day <= WAITING_DAYS
    return day - account.claimed < OFFERED_DAYS
