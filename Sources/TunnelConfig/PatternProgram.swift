/// A pattern as instructions for a machine that is in many places at once.
struct PatternProgram: Sendable {
    private enum Instruction: Sendable {
        case scalars(ScalarSet)
        case assertion(PatternAssertion)
        /// Both; the second is patched while compiling.
        case split(Int, Int)
        case jump(Int)
        case accept
    }

    /// Bounds the work per scalar of a path, which the visitor chooses.
    static let longest = 4_000

    private var instructions: [Instruction] = []

    init(_ node: PatternNode) throws(PatternError) {
        try emit(node)
        try append(.accept)
    }

    /// Whether the pattern matches anywhere.
    func matches(_ text: some Collection<Unicode.Scalar>) -> Bool {
        var current = Places(count: instructions.count)
        var next = Places(count: instructions.count)
        var before: Unicode.Scalar?
        var index = text.startIndex
        while true {
            let after = index < text.endIndex ? text[index] : nil
            // The search is not anchored, so a new attempt starts at every position.
            if enter(0, &current, before: before, after: after) { return true }
            guard let after else { return false }
            let following = text.index(after: index)
            let lookahead = following < text.endIndex ? text[following] : nil
            next.clear()
            for place in current.list {
                guard case .scalars(let set) = instructions[place], set.contains(after) else { continue }
                if enter(place + 1, &next, before: after, after: lookahead) { return true }
            }
            swap(&current, &next)
            before = after
            index = following
        }
    }

    /// Adds `start` and all that is reached from it without a scalar. True when that accepts.
    private func enter(
        _ start: Int, _ places: inout Places, before: Unicode.Scalar?, after: Unicode.Scalar?
    ) -> Bool {
        places.pending.append(start)
        while let place = places.pending.popLast() {
            guard places.add(place) else { continue }
            switch instructions[place] {
            case .accept:
                places.pending.removeAll(keepingCapacity: true)
                return true
            case .scalars: continue
            case .jump(let target): places.pending.append(target)
            case .split(let first, let second):
                places.pending.append(second)
                places.pending.append(first)
            case .assertion(let assertion):
                if assertion.holds(before: before, after: after) { places.pending.append(place + 1) }
            }
        }
        return false
    }

    private struct Places {
        var list: [Int] = []
        var pending: [Int] = []
        private var seen: [Bool]

        init(count: Int) { seen = Array(repeating: false, count: count) }

        mutating func add(_ place: Int) -> Bool {
            if seen[place] { return false }
            seen[place] = true
            list.append(place)
            return true
        }

        mutating func clear() {
            for place in list { seen[place] = false }
            list.removeAll(keepingCapacity: true)
        }
    }

    private mutating func append(_ instruction: Instruction) throws(PatternError) {
        guard instructions.count < Self.longest else { throw PatternError("it is too large") }
        instructions.append(instruction)
    }

    private mutating func emit(_ node: PatternNode) throws(PatternError) {
        switch node {
        case .empty: return
        case .scalars(let set): try append(.scalars(set))
        case .assertion(let assertion): try append(.assertion(assertion))
        case .sequence(let nodes):
            for node in nodes { try emit(node) }
        case .choice(let nodes): try emitChoice(nodes)
        case .repeated(let node, let min, let max): try emitRepeated(node, min, max)
        }
    }

    private mutating func emitChoice(_ nodes: [PatternNode]) throws(PatternError) {
        var exits: [Int] = []
        for (position, node) in nodes.enumerated() {
            guard position < nodes.count - 1 else {
                try emit(node)
                break
            }
            let split = instructions.count
            try append(.split(split + 1, 0))
            try emit(node)
            exits.append(instructions.count)
            try append(.jump(0))
            instructions[split] = .split(split + 1, instructions.count)
        }
        for exit in exits { instructions[exit] = .jump(instructions.count) }
    }

    private mutating func emitRepeated(_ node: PatternNode, _ min: Int, _ max: Int?) throws(PatternError) {
        for _ in 0..<min { try emit(node) }
        guard let max else {
            let split = instructions.count
            try append(.split(split + 1, 0))
            try emit(node)
            try append(.jump(split))
            instructions[split] = .split(split + 1, instructions.count)
            return
        }
        var splits: [Int] = []
        for _ in min..<Swift.max(min, max) {
            splits.append(instructions.count)
            try append(.split(instructions.count + 1, 0))
            try emit(node)
        }
        for split in splits { instructions[split] = .split(split + 1, instructions.count) }
    }
}
