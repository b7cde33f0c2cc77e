"""AWS's rules for CUR v1, written independently of finops."""

import re

# The columns of the sample exports that AWS writes as DOUBLE in Parquet.
DOUBLES = {f"{category}/{name}" for category, names in {
    "lineItem": "UsageAmount NormalizationFactor NormalizedUsageAmount UnblendedCost BlendedCost",
    "pricing": "publicOnDemandCost",
    "reservation": "AmortizedUpfrontCostForUsage AmortizedUpfrontFeeForBillingPeriod EffectiveCost "
                   "RecurringFeeForUsage UnusedAmortizedUpfrontFeeForBillingPeriod "
                   "UnusedNormalizedUnitQuantity UnusedQuantity UnusedRecurringFee UpfrontValue",
    "savingsPlan": "AmortizedUpfrontCommitmentForBillingPeriod RecurringCommitmentForBillingPeriod "
                   "SavingsPlanEffectiveCost SavingsPlanRate TotalCommitmentToDate UsedCommitment",
}.items() for name in names.split()}

MOMENTS = {
    "bill/BillingPeriodStartDate", "bill/BillingPeriodEndDate", "lineItem/UsageStartDate", "lineItem/UsageEndDate",
}


def column_name(header):
    """The name of the column in Athena and Parquet."""
    separated = re.sub("([A-Z])", r"_\1", header).lower()
    return re.sub("[^a-z0-9]+", "_", separated).strip("_")


def column_names(headers):
    names = [column_name(header) for header in headers]
    if len(set(names)) != len(names):
        raise ValueError("two headers have the same column name")
    return names
