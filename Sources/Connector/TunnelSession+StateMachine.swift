import TunnelWire

extension TunnelSession {
    /// The life of one registered link: control stream, registration, service, goodbye (tunnel-protocol 2.3, 3.5, 5.9).
    ///
    /// The official connector waits for ever for a control stream and keeps a refused connection open; here every state
    /// but service has a deadline and a refusal closes the link.
    struct StateMachine {
        enum State: Equatable {
            case awaitingControlStream
            case registering
            case serving
            case unregistering
            case draining
            case over
        }

        enum Deadline: Equatable {
            /// The edge opens the control stream.
            case controlStream
            /// The answer to the registration.
            case registration
            /// The answer to the goodbye.
            case goodbye
            /// The answer to our configuration.
            case configuration
            /// Unregistration and the streams' end.
            case grace
        }

        enum Action: Equatable {
            case register
            case armDeadline(Deadline)
            case cancelDeadline(Deadline)
            case cancelDeadlines
            case reportConnected(ConnectionDetails)
            case reportRegistrationFailed(isDuplicate: Bool)
            case sendLocalConfiguration
            case giveUpLocalConfiguration
            case reportUnregistering
            case unregister
            case drainStreams
            case closeLink
            case end(SessionEnd)
        }

        private(set) var state = State.awaitingControlStream
        private var push = Push.unwanted

        /// Telling the edge our configuration.
        private enum Push {
            /// The edge manages the tunnel, or another connection tells it.
            case unwanted
            case told
            /// Waits for the answer.
            case underWay(isStale: Bool)
        }

        mutating func started() -> [Action] {
            [.armDeadline(.controlStream)]
        }

        mutating func controlStreamOpened() -> [Action] {
            guard state == .awaitingControlStream else { return [] }
            state = .registering
            return [.cancelDeadline(.controlStream), .armDeadline(.registration), .register]
        }

        mutating func registered(_ details: ConnectionDetails, pushesConfiguration: Bool) -> [Action] {
            guard state == .registering else { return [] }
            state = .serving
            let actions: [Action] = [.cancelDeadline(.registration), .reportConnected(details)]
            guard pushesConfiguration, !details.tunnelIsRemotelyManaged else { return actions }
            return actions + sendConfiguration()
        }

        mutating func refused(_ refusal: SessionEnd.Refusal) -> [Action] {
            guard state == .registering else { return [] }
            return [.reportRegistrationFailed(isDuplicate: refusal.isDuplicate)] + finish(.refused(refusal))
        }

        /// The configuration in force here is another one now.
        mutating func configurationChanged() -> [Action] {
            guard state == .serving else { return [] }
            switch push {
            case .unwanted: return []
            case .told: return sendConfiguration()
            case .underWay:
                push = .underWay(isStale: true)
                return []
            }
        }

        /// The edge has taken the configuration, or will not, or there was none to tell.
        mutating func configurationAnswered() -> [Action] {
            guard case .underWay(let isStale) = push else { return [] }
            push = .told
            return [.cancelDeadline(.configuration)] + (isStale && state == .serving ? sendConfiguration() : [])
        }

        private mutating func sendConfiguration() -> [Action] {
            push = .underWay(isStale: false)
            return [.armDeadline(.configuration), .sendLocalConfiguration]
        }

        /// A graceful end was asked for.
        mutating func drainRequested() -> [Action] {
            switch state {
            case .awaitingControlStream, .registering:
                return finish(.drained)
            case .serving:
                state = .unregistering
                return [.reportUnregistering, .armDeadline(.grace), .armDeadline(.goodbye), .unregister]
            case .unregistering, .draining, .over:
                return []
            }
        }

        /// The edge answered the goodbye, or will not.
        mutating func unregistered() -> [Action] {
            guard state == .unregistering else { return [] }
            state = .draining
            return [.cancelDeadline(.goodbye), .drainStreams]
        }

        mutating func streamsDrained() -> [Action] {
            guard state == .draining else { return [] }
            return finish(.drained)
        }

        mutating func controlStreamFailed(_ reason: String) -> [Action] {
            switch state {
            case .over, .draining: []
            case .unregistering: unregistered()
            case .awaitingControlStream, .registering, .serving: finish(.lost(reason))
            }
        }

        mutating func deadlinePassed(_ deadline: Deadline) -> [Action] {
            switch (deadline, state) {
            case (.controlStream, .awaitingControlStream):
                finish(.lost("the edge opened no control stream in time"))
            case (.registration, .registering):
                [.reportRegistrationFailed(isDuplicate: false)]
                    + finish(.lost("the edge did not answer the registration in time"))
            case (.configuration, .serving), (.configuration, .unregistering):
                [.giveUpLocalConfiguration]
            case (.goodbye, .unregistering):
                // An edge that does not answer must not take the time that belongs to the streams.
                unregistered()
            case (.grace, .unregistering), (.grace, .draining):
                finish(.drained)
            default:
                []
            }
        }

        /// - Parameter elsewhere: whether another address is the better next try.
        mutating func linkEnded(_ reason: String, elsewhere: Bool = false) -> [Action] {
            switch state {
            case .over: []
            case .unregistering, .draining: finish(.drained)
            case .awaitingControlStream, .registering, .serving: finish(.lost(reason, elsewhere: elsewhere))
            }
        }

        /// Whether a visitor's stream is taken. Not once the edge has confirmed the goodbye, or had the time to: what comes
        /// then would only be cut off by the end of the grace period.
        var takesStreams: Bool { state == .serving || state == .unregistering }

        /// Ended at once from outside.
        mutating func cancelled() -> [Action] {
            state == .over ? [] : finish(.drained)
        }

        private mutating func finish(_ end: SessionEnd) -> [Action] {
            state = .over
            return [.cancelDeadlines, .closeLink, .end(end)]
        }
    }
}

/// How a session ended.
enum SessionEnd: Equatable, Sendable {
    /// As asked.
    case drained
    /// The link or the edge failed us; try again, on another address if there is one.
    case lost(String, elsewhere: Bool = false)
    /// The edge said no.
    case refused(Refusal)

    struct Refusal: Equatable, Sendable {
        var reason: String
        /// False when the edge says that asking again is pointless.
        var retryable: Bool
        var retryAfter: Duration?

        /// The edge has this connection already, on another link: another address helps.
        var isDuplicate: Bool { reason.contains("EDUPCONN") }
    }
}
