-- The table that `vpp edge sync` fills, with its row-level security. Run it once in the SQL editor of a Supabase project,
-- or with psql in any database that PostgREST serves and that has a role `authenticated`.
--
-- A row is one value of one message: (plant, node, boot, sequence, item) tells it from every other, so that the same
-- message brought twice is kept once, and a later value for the same time is another row. Powers are positive toward
-- the grid. The view `telemetry_latest` shows, of every series and time, the value that was issued last.

create table if not exists public.telemetry (
    plant text not null,
    node text not null,
    boot text not null,
    sequence bigint not null check (sequence >= 0),
    item integer not null check (item >= 0),
    source text not null,
    metric text not null,
    time timestamptz not null,
    value double precision not null
        check (value > '-infinity'::double precision and value < 'infinity'::double precision),
    issued_at timestamptz not null,
    taken_at timestamptz not null default now(),
    primary key (plant, node, boot, sequence, item)
);

create index if not exists telemetry_series on public.telemetry (plant, source, metric, time desc, issued_at desc);

alter table public.telemetry enable row level security;
alter table public.telemetry force row level security;

-- A key is a JWT whose claim `plant` names the one plant that it may write and read. Whoever has another plant's key,
-- or none, sees nothing and writes nothing. Nobody may change or delete a row over the API.
drop policy if exists telemetry_of_ones_plant_is_written on public.telemetry;
create policy telemetry_of_ones_plant_is_written on public.telemetry
    for insert to authenticated
    with check (plant = (current_setting('request.jwt.claims', true)::jsonb ->> 'plant'));

drop policy if exists telemetry_of_ones_plant_is_read on public.telemetry;
create policy telemetry_of_ones_plant_is_read on public.telemetry
    for select to authenticated
    using (plant = (current_setting('request.jwt.claims', true)::jsonb ->> 'plant'));

revoke all on public.telemetry from public;
grant select, insert on public.telemetry to authenticated;

create or replace view public.telemetry_latest with (security_invoker = true) as
    select distinct on (plant, source, metric, time) plant, source, metric, time, value, issued_at, node
    from public.telemetry
    order by plant, source, metric, time, issued_at desc, boot desc, sequence desc, item desc;

grant select on public.telemetry_latest to authenticated;
