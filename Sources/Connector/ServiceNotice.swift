/// What systemd hears about the connector.
enum ServiceNotice {
    /// Decides what is told, and when. Lives as long as the Supervisor runs.
    struct StateMachine {
        enum State: Equatable {
            case starting
            case ready
            case reloading
            case stopping
        }

        enum Action: Equatable {
            case ready(status: String)
            case status(String)
            case reloading
            case stopping
            case watchdog
            /// Ask for more time to start.
            case extendTimeout
        }

        private(set) var state = State.starting
        private let needed: Int
        private var links = "Connecting to the edge"
        /// Why the configuration file as it is now does not count.
        private var refusal: String?
        private var told = ""

        init(policy: ReadyPolicy, wanted: Int) {
            needed = policy.connections(of: wanted)
        }

        private var status: String { refusal.map { "\(links); the old configuration serves: \($0)" } ?? links }

        mutating func started() -> [Action] {
            needed == 0 ? becomeReady() : [.extendTimeout] + tell()
        }

        mutating func linksChanged(ready: Int, status: String) -> [Action] {
            links = status
            guard state == .starting, ready >= needed else { return tell() }
            return becomeReady()
        }

        mutating func reloadBegan() -> [Action] {
            // Before the start is over there is nothing that systemd could see reload.
            guard state == .ready else { return [] }
            state = .reloading
            return [.reloading]
        }

        /// - Parameter refusal: why nothing changed; nil when the new configuration is in force.
        mutating func reloadEnded(refusal: String?) -> [Action] {
            self.refusal = refusal
            return state == .reloading ? becomeReady() : tell()
        }

        /// Everything that must run has answered in time.
        mutating func probeAnswered() -> [Action] {
            state == .starting ? [.watchdog, .extendTimeout] : [.watchdog]
        }

        mutating func stopRequested() -> [Action] {
            guard state != .stopping else { return [] }
            state = .stopping
            return [.stopping]
        }

        private mutating func becomeReady() -> [Action] {
            state = .ready
            told = status
            return [.ready(status: status)]
        }

        private mutating func tell() -> [Action] {
            guard status != told else { return [] }
            told = status
            return [.status(status)]
        }
    }
}
