import Access
import EdgeTransport
import NIOCore
import NIOHTTP1
import OriginTransport
import ServiceHost
import TunnelConfig

/// `originRequest.access`: only who the team vouches for reaches the service (access-protocol section 3.9.1).
extension StreamProxy {
    private static let patience = Duration.seconds(15)

    /// Goes on with `next`, at once where the rule asks for nothing or the assertion is known; else answers why not.
    func checkAccess(_ visit: Visit, _ rule: IngressRule, then next: @escaping () -> Void) {
        guard let requirement = rule.originRequest.access, requirement.required else { return next() }
        guard let assertions, let asides else { return visit.fail(.unchecked("nobody can check it here")) }
        let shown = visit.stream.request.headers["cf-access-jwt-assertion"]
        if let verdict = assertions.known(shown, for: requirement) {
            return proceed(verdict, visit, next)
        }
        let eventLoop = visit.stream.eventLoop
        let waiting = NIOLoopBound((visit, next), eventLoop: eventLoop)
        let isTaken = asides.add { [self] in
            let verdict = await withDeadline(Self.patience) { await assertions.verify(shown[0], for: requirement) }
            eventLoop.execute {
                let (visit, next) = waiting.value
                guard !visit.isLeft else { return }
                proceed(verdict ?? .unknown("that took too long"), visit, next)
            }
        }
        if !isTaken { visit.refuseBusy() }
    }

    private func proceed(_ verdict: AssertionVerifier.Verdict, _ visit: Visit, _ next: () -> Void) {
        switch verdict {
        case .admitted: next()
        case .missing:
            visit.fail(OriginError(.accessDenied, "this service wants the edge to say who you are, and it does not"))
        case .invalid: visit.fail(OriginError(.accessDenied, "what the edge says of you does not come from its team"))
        case .wrongAudience:
            visit.fail(OriginError(.accessDenied, "what the edge says of you is meant for another application"))
        case .unknown(let reason): visit.fail(.unchecked(reason))
        }
    }
}

extension OriginError {
    fileprivate static func unchecked(_ reason: String) -> OriginError {
        OriginError(.accessUnknown, "the rule requires an Access check, which cannot be made: \(reason)")
    }
}
