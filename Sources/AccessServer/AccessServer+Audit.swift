import Access
import AccessPolicy
import EdgeStore
import Foundation

extension AccessServer {
    /// Writes down what was decided (access-protocol section 3.13, 16).
    func note(
        _ action: AuditEvent.Action, _ outcome: String, _ call: Call, _ fill: (inout AuditEvent) -> Void = { _ in }
    ) {
        guard let audit else { return }
        var event = AuditEvent(action, outcome: outcome, at: now())
        event.address = call.request.address
        event.ray = call.request.ray
        fill(&event)
        audit.record(event)
    }
}

extension AuditEvent {
    mutating func describe(_ session: AccessSession) {
        user = session.profile.email ?? session.profile.userID
        self.session = session.id
    }
}
