/// The questions a connector has open, by number. A number is used again, the last freed first, once its answer has come.
struct QuestionTable: Sendable {
    private var questions: [UInt32: Question] = [:]
    private var free: [UInt32] = []
    private var next: UInt32 = 0

    enum Question: Equatable, Sendable {
        case bootstrap
        case call(RegistrationClient.Call)
        /// Nobody waits any more, but the number stays taken until the edge has answered.
        case abandoned
    }

    var count: Int { questions.count }

    mutating func open(_ question: Question) -> UInt32 {
        let id: UInt32
        if let last = free.popLast() {
            id = last
        } else {
            id = next
            next += 1
        }
        questions[id] = question
        return id
    }

    /// Frees the number of a question; nil when there is none, which a late or wrong answer may ask for.
    mutating func answered(_ id: UInt32) -> Question? {
        guard let question = questions.removeValue(forKey: id) else { return nil }
        free.append(id)
        return question
    }

    /// Gives up waiting for a call of a kind.
    mutating func abandon(_ call: RegistrationClient.Call) -> UInt32? {
        guard let id = questions.keys.filter({ questions[$0] == .call(call) }).min() else { return nil }
        questions[id] = .abandoned
        return id
    }
}
