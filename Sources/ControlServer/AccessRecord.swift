import EdgeStore
import Foundation
import Hummingbird
import Logging

/// Tells the log and the audit log what was changed by the account API.
struct AccessRecord: Sendable {
    let audit: AuditLog?
    let now: @Sendable () -> Date

    func record(_ what: String, as action: AuditEvent.Action = .admin, _ context: ControlContext) {
        context.logger.info("Access changed", metadata: ["change": "\(what)"])
        var event = AuditEvent(action, outcome: "ok", at: now())
        event.user = "account API"
        event.address = context.caller?.address
        event.ray = context.caller?.ray
        event.reason = what
        audit?.record(event)
    }
}
