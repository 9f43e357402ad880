import EdgeTransport

/// What one HA connection does between its sessions.
enum ConnectionSlot {
    /// Decides after each session: how long to wait, whether to go elsewhere, when to give up.
    struct StateMachine {
        enum Action: Equatable {
            /// Wait, then try again, on another address if there is one.
            case wait(Duration, elsewhere: Bool, cause: String)
            /// The edge will not have this tunnel; nothing a retry could change.
            case giveUp(reason: String)
            /// Ended as asked.
            case finish
        }

        /// Refusals in a row that end a slot which never registered. A few, because a tunnel just created may not be
        /// known everywhere yet.
        static let refusalsBeforeGivingUp = 3

        private(set) var backoff: Backoff
        private var everRegistered = false
        private var refusalsInARow = 0

        init(backoff: Backoff = Backoff()) {
            self.backoff = backoff
        }

        /// Attempts since the last registration, as told to the edge.
        var previousAttempts: UInt8 { UInt8(clamping: backoff.attempts) }

        mutating func registered() {
            everRegistered = true
            refusalsInARow = 0
            backoff.connectionSucceeded()
        }

        mutating func dialFailed(_ error: LinkError, using random: inout some RandomNumberGenerator) -> Action {
            let elsewhere = error.recovery == .retryElsewhere
            return .wait(backoff.attemptFailed(using: &random), elsewhere: elsewhere, cause: error.description)
        }

        /// - Parameter wasRegistered: whether this session had registered. An edge that lets us in and then does nothing is
        ///   left for another; one that served us is the first to ask again.
        mutating func sessionEnded(
            _ end: SessionEnd, wasRegistered: Bool, using random: inout some RandomNumberGenerator
        ) -> Action {
            switch end {
            case .drained:
                return .finish
            case .lost(let cause):
                return .wait(backoff.attemptFailed(using: &random), elsewhere: !wasRegistered, cause: cause)
            case .refused(let refusal):
                refusalsInARow += 1
                let isFinal = !refusal.retryable && !refusal.isDuplicate && !everRegistered
                guard !isFinal || refusalsInARow < Self.refusalsBeforeGivingUp else {
                    return .giveUp(reason: refusal.reason)
                }
                let wait = backoff.attemptFailed(hint: refusal.retryAfter, using: &random)
                return .wait(wait, elsewhere: refusal.isDuplicate, cause: "the edge refused: \(refusal.reason)")
            }
        }
    }
}
