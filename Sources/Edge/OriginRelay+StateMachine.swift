import FoundationEssentials
import NIOCore

extension OriginRelay {
    /// Decides on which link a request is tried, and after which failures again on another one. Lives as long as the relay.
    ///
    /// What a connector may have begun with is sent again only if the method is idempotent (RFC 9110 section 9.2.2), and
    /// while it may still be at work only if it is safe (section 9.2.1): a slow PUT must not undo what came after its
    /// repetition. Nothing is sent again once its answer has begun. No link is tried twice.
    struct StateMachine {
        enum State: Equatable, Sendable {
            case trying
            /// There is no link that was not tried; a connector that lost its link makes a new one.
            case waiting
            case answered
            case over
        }

        /// Why a try gave no answer.
        enum Failure: Equatable, Sendable {
            /// The link has no room; nothing was sent.
            case busy
            /// The link had ended before anything was sent.
            case gone
            /// Nobody has begun with the request.
            case untouched
            /// The link ended; the request may have been served.
            case cut
            /// The connector ended this stream alone: elsewhere it would be the same.
            case refused
        }

        enum Action: Equatable, Sendable {
            /// Try this link; what an earlier try still does is of no interest any more.
            case open(UUID)
            /// Look again soon for a link that was not tried.
            case wait
            case giveUp(Outcome)
            case none
        }

        enum Outcome: Equatable, Sendable {
            /// There was no link.
            case absent
            /// All links are full.
            case busy
            /// No link gave an answer, and nothing keeps the visitor from asking again.
            case failed
            /// The request may have been served, and must not be repeated unasked.
            case uncertain
        }

        private(set) var state = State.trying
        /// Whether a try before this one may have reached somebody.
        var isRepetition: Bool { lostTries > 0 }
        private let isSafe: Bool
        private let isIdempotent: Bool
        private let patience: TimeAmount
        private var tried: Set<UUID> = []
        private var lostTries = 0
        /// A link was lost: its connector may make another one.
        private var mayComeBack = false
        private var waitsUntil: NIODeadline?

        /// Streams that may be opened for one request.
        static let mostTries = 4

        /// - Parameter patience: how long the request may wait for new links altogether.
        init(method: String, patience: TimeAmount) {
            isSafe = Self.safeMethods.contains(method)
            isIdempotent = isSafe || ["PUT", "DELETE"].contains(method)
            self.patience = patience
        }

        private static let safeMethods: Set<String> = ["GET", "HEAD", "OPTIONS", "TRACE"]

        /// - Parameter links: those that there are, the best one first; the same below. None when the last one has just
        ///   been lost.
        mutating func started(links: [UUID], now: NIODeadline) -> Action {
            mayComeBack = links.isEmpty
            return next(links, now: now)
        }

        /// The try under way ended without an answer.
        ///
        /// - Parameter canRepeat: whether all that the visitor has sent is still at hand.
        mutating func failed(
            _ failure: Failure, canRepeat: Bool, links: [UUID], now: NIODeadline
        ) -> Action {
            guard state == .trying else { return .none }
            switch failure {
            case .busy: return next(links, now: now)
            case .gone:
                mayComeBack = true
                return next(links, now: now)
            case .refused: return giveUp(.failed)
            case .cut where !isIdempotent: return giveUp(.uncertain)
            case .untouched, .cut: break
            }
            mayComeBack = true
            lostTries += 1
            guard canRepeat, lostTries < Self.mostTries else { return giveUp(.failed) }
            return next(links, now: now)
        }

        /// It was time to look again for a link.
        mutating func waited(canRepeat: Bool, links: [UUID], now: NIODeadline) -> Action {
            guard state == .waiting else { return .none }
            guard canRepeat else { return giveUp(.failed) }
            return next(links, now: now)
        }

        /// The link of the try under way may be dead; if it is, its end follows.
        ///
        /// - Parameter links: those of which that is not known.
        mutating func linkFellSilent(canRepeat: Bool, links: [UUID], now: NIODeadline) -> Action {
            guard state == .trying, isSafe, canRepeat, lostTries + 1 < Self.mostTries,
                links.contains(where: { !tried.contains($0) })
            else { return .none }
            lostTries += 1
            return next(links, now: now)
        }

        /// The head of the answer came: there is no way back.
        mutating func answerBegan() {
            if state != .over { state = .answered }
        }

        /// Nobody waits for an answer any more.
        mutating func ended() {
            state = .over
        }

        private mutating func next(_ links: [UUID], now: NIODeadline) -> Action {
            if let link = links.first(where: { !tried.contains($0) }) {
                tried.insert(link)
                state = .trying
                return .open(link)
            }
            guard mayComeBack else { return giveUp(.busy) }
            let end = waitsUntil ?? now + patience
            waitsUntil = end
            guard now < end else { return giveUp(tried.isEmpty ? .absent : .failed) }
            state = .waiting
            return .wait
        }

        private mutating func giveUp(_ outcome: Outcome) -> Action {
            state = .over
            return .giveUp(outcome)
        }
    }
}
