-- Two more fields of a character: how it is spoken of, and how old it is, about.
--
-- Both are closed lists, so that a form can offer them, a model must choose among them, and a rule can act on them: nobody
-- who is a child or a teenager stands in a character for adults only.
alter table ocs
    add column pronoun text not null default 'they' check (pronoun in ('she', 'he', 'they', 'it')),
    add column age_band text not null default 'adult' check (age_band in ('child', 'teen', 'adult', 'elder', 'ageless')),
    -- Existing rows hold it: until now everybody was of no age in particular.
    add constraint ocs_minors_are_not_for_adults_only
        check (content_rating <> 'mature' or age_band not in ('child', 'teen'));
comment on column ocs.pronoun is 'She, he, they or it; asked, read from the sentence or chosen by the model.';
comment on column ocs.age_band is 'About how old; the portrait takes it up, and minors are kept out of what is for adults only.';

-- The house's own, which were made before there was such a field.
update ocs set pronoun = case name when 'Kinetix' then 'he' when 'Thorne' then 'he' else 'she' end
where oc_id in (select oc_id from seeded_ocs) and name in ('Lumina', 'Kinetix', 'Eliza', 'Lyra', 'Thorne', 'Elara');
