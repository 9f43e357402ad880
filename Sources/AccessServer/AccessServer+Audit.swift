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

extension AccessServer {
    /// The id by which the audit log knows an application; nil when it is gone.
    func applicationID(of audience: String) -> AccessApplication.ID? {
        policies.snapshot.configuration.applications.first { $0.audience == audience }?.id
    }
}

extension AuditEvent {
    /// Who was refused before there was a session has only the address that the provider vouched for.
    mutating func describe(_ session: AccessSession) {
        let isOpen = !session.profile.userID.isEmpty
        user = session.profile.email ?? (isOpen ? session.profile.userID : nil)
        self.session = isOpen ? session.id : nil
    }
}
