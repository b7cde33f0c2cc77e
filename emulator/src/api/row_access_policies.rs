//! rowAccessPolicies.list

use serde_json::{Value, json};

use crate::{
    catalog::{RowAccessPolicy, TableId},
    error::ApiError,
    rest::without_nulls,
    server::{Answer, Server},
};

/// The policies of a table. Without policies, the answer has no list.
pub fn list(server: &Server, id: &TableId) -> Result<Answer, ApiError> {
    let catalog = server.catalog();
    let policies = &catalog.table(id)?.row_access_policies;
    let policies: Vec<Value> = policies.iter().map(|policy| to_rest(id, policy)).collect();
    Ok(Answer::Json(without_nulls(json!({"rowAccessPolicies": (!policies.is_empty()).then_some(policies)}))))
}

fn to_rest(table: &TableId, policy: &RowAccessPolicy) -> Value {
    let mut reference = table.to_rest();
    reference["policyId"] = json!(policy.id);
    json!({"rowAccessPolicyReference": reference, "filterPredicate": policy.filter})
}
